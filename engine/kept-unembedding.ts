import { rowRanges } from './checkpoint/row-pieces.ts';
import type { Unembedding } from './unembedding.ts';

/** Bytes of an unembedding that stay in memory where nothing else is said: 256 MiB. */
export const defaultUnembeddingBytes = 2 ** 28;

/**
 * An unembedding that stays in memory as float32 once it has been read whole, if it takes no more than `budgetBytes`; a larger one is read
 * from its checkpoint each time. It is opened when it is first asked for; a failure is not remembered.
 */
export function keepUnembedding(open: () => Promise<Unembedding>, budgetBytes: number): () => Promise<Unembedding> {
  let opened: Promise<Unembedding> | null = null;
  return () => {
    opened ??= open().then(
      (unembedding) => (bytesOf(unembedding) <= budgetBytes ? kept(unembedding) : unembedding),
      (error) => {
        opened = null;
        throw error;
      },
    );
    return opened;
  };
}

function bytesOf({ tokens, width }: Unembedding): number {
  return tokens * width * Float32Array.BYTES_PER_ELEMENT;
}

function kept(unembedding: Unembedding): Unembedding {
  const { tokens, width } = unembedding;
  let gain: Promise<Float32Array> | null = null;
  let matrix: Float32Array | null = null;
  return {
    ...unembedding,
    gain() {
      gain ??= unembedding.gain().catch((error) => {
        gain = null;
        throw error;
      });
      return gain;
    },
    async *rows() {
      if (matrix !== null) {
        const whole = matrix;
        for (const { first, count } of rowRanges(tokens, width)) {
          yield { first, rows: count, values: whole.subarray(first * width, (first + count) * width) };
        }
        return;
      }
      const read = new Float32Array(tokens * width);
      for await (const piece of unembedding.rows()) {
        read.set(piece.values.subarray(0, piece.rows * width), piece.first * width);
        yield piece;
      }
      // whoever left the loop early never comes here: what is half read is not kept
      matrix = read;
    },
  };
}
