import type { DetokenizeStream } from '../core/index.ts';
import type { TokenBytes } from './token-bytes.ts';

/**
 * Turns tokens into text as they come. Bytes of an unfinished character are held back; bytes that cannot be UTF-8 become U+FFFD by the
 * rule of the WHATWG Encoding Standard (one for each maximal part of a character), so that the pieces joined equal the whole decoded.
 */
export class Utf8DetokenizeStream implements DetokenizeStream {
  readonly #tokens: TokenBytes;
  readonly #skipped: ReadonlySet<number> | null;
  /** A byte order mark is text that the model wrote, not a mark. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #atStart = true;

  /** `skipped`: ids that give no text. */
  constructor(tokens: TokenBytes, skipped: ReadonlySet<number> | null) {
    this.#tokens = tokens;
    this.#skipped = skipped;
  }

  push(id: number): string {
    if (this.#skipped?.has(id)) return '';
    return this.#strip(this.#decoder.decode(this.#tokens.get(id), { stream: true }));
  }

  flush(): string {
    return this.#strip(this.#decoder.decode());
  }

  #strip(text: string): string {
    if (!this.#atStart || text === '') return text;
    this.#atStart = false;
    return this.#tokens.stripsLeadingSpace && text.startsWith(' ') ? text.slice(1) : text;
  }
}
