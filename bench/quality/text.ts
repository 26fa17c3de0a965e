import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tokenizer } from '../../engine/index.ts';
import { benchDirectory } from '../checkout.ts';

/** The text that is read; where it comes from: bench/texts/README.md. */
export const textName = 'rust-book.txt';

export interface QualityText {
  readonly text: string;
  readonly sha256: string;
}

export function readText(): QualityText {
  const bytes = readFileSync(join(benchDirectory, 'texts', textName));
  return { text: bytes.toString('utf8'), sha256: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * The text as windows of `size` tokens, the first of which is `firstToken`, each read with nothing before it. What does not
 * fill a window at the end is left out. Throws where the text does not fill one.
 */
export function windowsOf(ids: Int32Array, firstToken: number, size: number): Int32Array[] {
  const share = size - 1;
  const count = Math.floor(ids.length / share);
  if (count === 0) throw new Error(`a text of ${ids.length} tokens does not fill a window of ${size}`);
  return Array.from({ length: count }, (_, i) =>
    Int32Array.of(firstToken, ...ids.subarray(i * share, (i + 1) * share)),
  );
}

/**
 * The token that a window begins with: the one that the tokenizer itself prepends to text, else `fallback`, spelled out. Throws
 * where that is no special token of this tokenizer.
 */
export function firstTokenOf(tokenizer: Tokenizer, bosTokenId: number | null, fallback: string): number {
  if (bosTokenId !== null) return bosTokenId;
  const ids = tokenizer.encode(fallback, { addSpecialTokens: false });
  const id = ids[0];
  if (ids.length !== 1 || id === undefined || !tokenizer.specialTokenIds.has(id)) {
    throw new Error(`'${fallback}' is no special token of this model; name the one that its texts begin with`);
  }
  return id;
}
