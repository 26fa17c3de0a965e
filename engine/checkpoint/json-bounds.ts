/** What a JSON text may hold. Values parsed from brackets and commas take many times the text's bytes, and depth takes stack. */
export interface JsonBounds {
  readonly bytes: number;
  /** Objects and arrays inside each other. */
  readonly depth: number;
  /** Objects and arrays. */
  readonly containers: number;
  /** Commas: one less than the values of each container. */
  readonly commas: number;
}

const quote = 0x22;
const backslash = 0x5c;

/** What of the bounds a text exceeds, in words; null where it keeps them. Looks at structure only: JSON.parse judges the rest. */
export function exceededBound(text: Uint8Array, bounds: JsonBounds): string | null {
  if (text.length > bounds.bytes) return `has ${text.length} bytes; at most ${bounds.bytes} are read`;
  let depth = 0;
  let containers = 0;
  let commas = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case quote:
        at = closingQuote(text, at);
        break;
      case 0x2c: // ,
        if (++commas > bounds.commas) return `holds more than ${bounds.commas} values`;
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > bounds.depth) return `is nested more than ${bounds.depth} deep`;
        if (++containers > bounds.containers) return `holds more than ${bounds.containers} objects and arrays`;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
    }
  }
  return null;
}

/** Where a string ends that begins at `opening`; the end of the text where it does not. */
function closingQuote(text: Uint8Array, opening: number): number {
  for (let at = text.indexOf(quote, opening + 1); at >= 0; at = text.indexOf(quote, at + 1)) {
    let first = at;
    while (text[first - 1] === backslash) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}
