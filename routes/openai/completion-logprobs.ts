import type { Tokenizer, TokenLogprob } from '../../engine/core/index.ts';
import { finite } from './from-engine.ts';
import type { CompletionLogprobs } from './schemas/completions.ts';

/**
 * Writes one choice's log-probabilities in the completions shape, piece by piece, keeping count of where in the text the next
 * token begins. Offsets are in Unicode code points (what Python clients index by); a token that starts inside a character
 * has that character's offset.
 */
export class CompletionLogprobWriter {
  readonly #tokenizer: Tokenizer;
  /** Characters begun so far, and bytes still missing of the last one. */
  #characters = 0;
  #missing = 0;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * The echoed prompt. Nothing predicts its first token: null there. `textBegins`: how many tokens at its front are not in
   * the text, because the tokenizer prepended them.
   */
  prompt(
    tokenIds: ArrayLike<number>,
    entries: readonly (TokenLogprob | null)[],
    textBegins: number,
  ): CompletionLogprobs {
    return this.#write(
      Array.from(tokenIds, (tokenId, position) => ({
        tokenId,
        entry: entries[position] ?? null,
        inText: position >= textBegins,
      })),
    );
  }

  /** Generated tokens; special ones are left out of the text. */
  generated(entries: readonly TokenLogprob[]): CompletionLogprobs {
    return this.#write(
      entries.map((entry) => ({
        tokenId: entry.tokenId,
        entry,
        inText: !this.#tokenizer.specialTokenIds.has(entry.tokenId),
      })),
    );
  }

  #write(
    tokens: readonly { readonly tokenId: number; readonly entry: TokenLogprob | null; readonly inText: boolean }[],
  ): CompletionLogprobs {
    return {
      tokens: tokens.map(({ tokenId }) => this.#label(tokenId)),
      token_logprobs: tokens.map(({ entry }) => (entry ? finite(entry.logprob) : null)),
      top_logprobs: tokens.map(({ entry }) => (entry ? this.#top(entry) : null)),
      text_offset: tokens.map(({ tokenId, inText }) =>
        this.#advance(inText ? this.#tokenizer.tokenBytes(tokenId) : []),
      ),
    };
  }

  /** Alternatives by text, the chosen token always among them. */
  #top(entry: TokenLogprob): Record<string, number> {
    const top: Record<string, number> = {};
    for (const { tokenId, logprob } of [...entry.top, { tokenId: entry.tokenId, logprob: entry.logprob }]) {
      const label = this.#label(tokenId);
      top[label] = Math.max(top[label] ?? Number.NEGATIVE_INFINITY, finite(logprob));
    }
    return top;
  }

  /** The token's text, or its bytes spelled out where they are no text on their own: `bytes:\xe2\x80`, as OpenAI does. */
  #label(tokenId: number): string {
    const bytes = this.#tokenizer.tokenBytes(tokenId);
    try {
      return utf8.decode(bytes);
    } catch {
      return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
    }
  }

  /** Offset at which a token of these bytes begins; moves past it. */
  #advance(bytes: Iterable<number>): number {
    const offset = this.#missing > 0 ? this.#characters - 1 : this.#characters;
    for (const byte of bytes) {
      if ((byte & 0xc0) === 0x80 && this.#missing > 0) {
        this.#missing--;
      } else {
        this.#characters++;
        this.#missing = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
      }
    }
    return offset;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Log-probabilities of consecutive pieces as one. */
export function joinLogprobs(pieces: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    tokens: pieces.flatMap((piece) => piece.tokens),
    token_logprobs: pieces.flatMap((piece) => piece.token_logprobs),
    top_logprobs: pieces.flatMap((piece) => piece.top_logprobs),
    text_offset: pieces.flatMap((piece) => piece.text_offset),
  };
}
