import { describe, expect, it } from 'vitest';
import { keepUnembedding } from '../../engine/kept-unembedding.ts';
import type { Unembedding } from '../../engine/unembedding.ts';

const [tokens, width] = [10, 4];
const values = Float32Array.from({ length: tokens * width }, (_, i) => i);

/** One whose rows come in three pieces in one buffer, and which counts how often they are read. */
function counted() {
  const reads = { rows: 0, opened: 0 };
  const unembedding: Unembedding = {
    ...{ width, tokens, centres: false },
    gain: async () => Float32Array.of(1, 2, 3, 4),
    async *rows() {
      reads.rows++;
      const buffer = new Float32Array(4 * width);
      for (let first = 0; first < tokens; first += 4) {
        const rows = Math.min(4, tokens - first);
        buffer.set(values.subarray(first * width, (first + rows) * width));
        yield { first, rows, values: buffer };
      }
    },
  };
  const open = async () => {
    reads.opened++;
    return unembedding;
  };
  return { reads, open };
}

async function whole(unembedding: Unembedding): Promise<Float32Array> {
  const all = new Float32Array(tokens * width);
  for await (const { first, rows, values: piece } of unembedding.rows()) {
    all.set(piece.subarray(0, rows * width), first * width);
  }
  return all;
}

describe('an unembedding', () => {
  it('is read once where it fits the budget, and stays as it was read', async () => {
    const { reads, open } = counted();
    const ask = keepUnembedding(open, tokens * width * 4);
    for (let i = 0; i < 3; i++) expect(await whole(await ask())).toEqual(values);
    expect(reads).toEqual({ rows: 1, opened: 1 });
    expect(await (await ask()).gain()).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it('is read each time where it does not', async () => {
    const { reads, open } = counted();
    const ask = keepUnembedding(open, tokens * width * 4 - 1);
    for (let i = 0; i < 3; i++) expect(await whole(await ask())).toEqual(values);
    expect(reads).toEqual({ rows: 3, opened: 1 });
  });

  it('is not kept half read, nor a failure to open it', async () => {
    const { reads, open } = counted();
    let broken = true;
    const ask = keepUnembedding(async () => (broken ? Promise.reject(new Error('gone')) : open()), 2 ** 20);
    await expect(ask()).rejects.toThrow('gone');
    broken = false;
    for await (const _ of (await ask()).rows()) break;
    expect(await whole(await ask())).toEqual(values);
    expect(await whole(await ask())).toEqual(values);
    expect(reads.rows).toBe(2);
  });
});
