/**
 * The first key that occurs twice in one object of a JSON text, at any depth, if any: JSON.parse keeps the last of them
 * silently. `text` is known to be valid JSON.
 */
export function duplicateKey(text: string): string | undefined {
  /** Keys of each open container; arrays have none. */
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') open.push(new Set());
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = closingQuote(text, at);
      if (isKey(text, end)) {
        const key = String(JSON.parse(text.slice(at, end + 1)));
        const seen = open.at(-1);
        if (seen?.has(key)) return key;
        seen?.add(key);
      }
      at = end;
    }
  }
  return undefined;
}

/** Long texts are searched by the runtime, not letter by letter: a body may hold megabytes. */
function closingQuote(text: string, opening: number): number {
  let at = text.indexOf('"', opening + 1);
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at < 0 ? text.length : at;
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === '\\') before--;
  return (at - before) % 2 === 0;
}

function isKey(text: string, closing: number): boolean {
  let at = closing + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}
