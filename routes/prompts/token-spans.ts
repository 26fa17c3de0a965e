import type { Tokenizer } from '../../engine/core/index.ts';

/** Half-open range of bytes in a text's UTF-8. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

const space = 0x20;

/**
 * Which bytes of the text each token stands for; null for a special token that the tokenizer added and the text does not hold. A
 * space that the tokenizer put before the text (SentencePiece) is no part of it. Null altogether where the tokens do not spell the
 * text: the tokenizer rewrites it (Unicode normalisation, dropped characters), and nothing can be told.
 */
export function tokenSpans(
  text: string,
  tokenIds: ArrayLike<number>,
  tokenizer: Tokenizer,
): (ByteSpan | null)[] | null {
  const bytes = new TextEncoder().encode(text);
  return spansFrom(0, bytes, tokenIds, tokenizer) ?? spansFrom(-1, bytes, tokenIds, tokenizer);
}

/** `first` −1: a space stands before the text. */
function spansFrom(
  first: 0 | -1,
  bytes: Uint8Array,
  tokenIds: ArrayLike<number>,
  tokenizer: Tokenizer,
): (ByteSpan | null)[] | null {
  const byteAt = (at: number) => (at < 0 ? space : bytes[at]);
  const spans: (ByteSpan | null)[] = [];
  let at: number = first;
  for (let position = 0; position < tokenIds.length; position++) {
    const id = tokenIds[position] as number;
    const own = tokenizer.tokenBytes(id);
    const from = at;
    if (own.every((byte, index) => byte === byteAt(from + index))) {
      at += own.length;
      spans.push({ start: Math.max(0, from), end: Math.max(0, at) });
    } else if (tokenizer.specialTokenIds.has(id)) spans.push(null);
    else return null;
  }
  return at === bytes.length ? spans : null;
}

/**
 * From bytes to Unicode code points: a span's code points are those that any of its bytes belongs to, so that tokens that are pieces
 * of one character share its place.
 */
export class CodePoints {
  /** [bytes] the code point that a byte belongs to. */
  readonly #of: Uint32Array;
  readonly count: number;

  constructor(text: string) {
    this.#of = new Uint32Array(Buffer.byteLength(text));
    let [byte, count] = [0, 0];
    for (const character of text) {
      const length = Buffer.byteLength(character);
      this.#of.fill(count++, byte, byte + length);
      byte += length;
    }
    this.count = count;
  }

  span({ start, end }: ByteSpan): { readonly start: number; readonly end: number } {
    const from = this.#of[start] ?? this.count;
    return { start: from, end: end > start ? (this.#of[end - 1] as number) + 1 : from };
  }
}
