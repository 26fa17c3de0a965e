import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blockWidth, type Checkpoint, openCheckpoint } from '../../../engine/checkpoint/index.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf');

async function withCheckpoint<T>(work: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(join(fixture, 'tiny-llama.gguf'));
  try {
    return await work(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

describe('four-bit blocks', () => {
  it('hold exactly the weights that are dequantised, rows of q and k in their order', () =>
    withCheckpoint(async (checkpoint) => {
      let compared = 0;
      for (const { name, type, shape } of checkpoint.tensors.values()) {
        const blocks = await checkpoint.readFourBitBlocks(name);
        expect(blocks !== null, name).toBe(type === 'Q4_1' && shape.length === 2);
        if (!blocks) continue;
        const dense = new Float32Array(blocks.rows * blocks.width);
        await checkpoint.readFloat32(name, dense);
        for (const [i, weight] of dense.entries()) {
          const block = Math.floor(i / blockWidth);
          const pair = blocks.quants[Math.floor(i / 2)] as number;
          const quant = (i % 2 ? pair >> 4 : pair & 15) - 8;
          const rebuilt = (blocks.scales[block] as number) * quant + (blocks.offsets[block] as number);
          // Both are within one rounding of d·q + m.
          expect(Math.abs(rebuilt - weight)).toBeLessThanOrEqual(
            2 ** -22 * (Math.abs(weight) + 8 * Math.abs(blocks.scales[block] as number)),
          );
        }
        compared++;
      }
      expect(compared).toBeGreaterThan(6);
    }));
});
