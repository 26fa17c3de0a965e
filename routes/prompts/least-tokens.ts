import { TillerError, type Tokenizer } from '../../engine/core/index.ts';
import type { ModelService } from '../services.ts';

/** How often each byte, and bytes of words, can stand in one token: the most over the vocabulary. */
interface Density {
  readonly ofByte: Uint32Array;
  readonly ofWordBytes: number;
  readonly ofAll: number;
}

const densities = new WeakMap<Tokenizer, Density>();

/**
 * A number of tokens that `text` cannot have fewer of, in one pass over its bytes: no token holds more of a kind of byte than
 * the vocabulary's fullest one. Encoding costs some 10 µs a character and cannot be interrupted, so text that is far too long
 * is told from this. Bytes that no token has do not count. Tokenizers that normalise could spell a text in fewer bytes,
 * but not in so few that this exceeds its tokens: text has many times as many tokens as the fullest ones would make.
 */
export function leastTokens(text: string, tokenizer: Tokenizer): number {
  const { ofByte, ofWordBytes, ofAll } = densityOf(tokenizer);
  const counts = new Uint32Array(256);
  for (const byte of new TextEncoder().encode(text)) counts[byte] = (counts[byte] ?? 0) + 1;
  let least = 0;
  let all = 0;
  let wordBytes = 0;
  for (const [byte, count] of counts.entries()) {
    const most = ofByte[byte] ?? 0;
    if (most === 0) continue;
    least = Math.max(least, count / most);
    all += count;
    if (isWordByte(byte)) wordBytes += count;
  }
  return Math.ceil(Math.max(least, all / Math.max(1, ofAll), wordBytes / Math.max(1, ofWordBytes)));
}

/** Throws `context_length_exceeded` for text that cannot fit the context, before any work is put into it. */
export function refuseFarTooLong(text: string, { card, tokenizer }: ModelService, param: string): void {
  const least = leastTokens(text, tokenizer);
  if (least <= card.contextLength) return;
  const message = `The text has at least ${least} tokens and the context holds ${card.contextLength}: shorten it.`;
  throw new TillerError('context_length_exceeded', message, { param });
}

function densityOf(tokenizer: Tokenizer): Density {
  const known = densities.get(tokenizer);
  if (known) return known;
  const ofByte = new Uint32Array(256);
  let ofWordBytes = 0;
  let ofAll = 0;
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const bytes = tokenizer.tokenBytes(id);
    const counts = new Map<number, number>();
    let wordBytes = 0;
    for (const byte of bytes) {
      const count = (counts.get(byte) ?? 0) + 1;
      counts.set(byte, count);
      ofByte[byte] = Math.max(ofByte[byte] ?? 0, count);
      if (isWordByte(byte)) wordBytes++;
    }
    ofWordBytes = Math.max(ofWordBytes, wordBytes);
    ofAll = Math.max(ofAll, bytes.length);
  }
  const density = { ofByte, ofWordBytes, ofAll };
  densities.set(tokenizer, density);
  return density;
}

/** ASCII letters and digits, and every byte of a character beyond ASCII: long tokens are made of spaces and rules instead. */
function isWordByte(byte: number): boolean {
  return byte >= 0x80 || (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);
}
