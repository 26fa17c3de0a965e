/**
 * The first key that occurs twice at the top level of a JSON object, if any. JSON.parse keeps the last of them silently. `text` is
 * known to be valid JSON.
 */
export function duplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const end = closingQuote(text, at);
      if (depth === 1 && isKey(text, end)) {
        const key: unknown = JSON.parse(text.slice(at, end + 1));
        if (typeof key === 'string') {
          if (seen.has(key)) return key;
          seen.add(key);
        }
      }
      at = end;
    }
  }
  return undefined;
}

function closingQuote(text: string, opening: number): number {
  let at = opening + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function isKey(text: string, closing: number): boolean {
  let at = closing + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}
