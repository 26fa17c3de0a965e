import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blockWidth, type Checkpoint, openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { folderWith } from './fixtures.ts';
import { ggufBytes, tinyDataBytes, tinyMetadata, tinyTensors } from './gguf-bytes.ts';

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

  it('hold the weights of Q4_0 exactly: offsets are zero', async () => {
    const types: Readonly<Record<string, number>> = { 'blk.0.ffn_gate.weight': 2 };
    const bytes = ggufBytes({ metadata: tinyMetadata(), tensors: tinyTensors(types), data: tinyDataBytes });
    const dataStart = bytes.length - tinyDataBytes;
    const { offset } = tinyTensors(types).find(({ name }) => name === 'blk.0.ffn_gate.weight') ?? { offset: 0 };
    for (let i = 0; i < 32 * 18; i++) {
      // Every 18 bytes a float16 of 1.x · 2^-5 with either sign, then quanta.
      const inBlock = i % 18;
      bytes[dataStart + Number(offset) + i] = inBlock === 1 ? 0x28 | ((i & 1) << 7) : (i * 73) & 255;
    }
    const checkpoint = await openCheckpoint(join(await folderWith({ 'x.gguf': bytes }), 'x.gguf'));
    const name = 'model.layers.0.mlp.gate_proj.weight';
    const blocks = await checkpoint.readFourBitBlocks(name);
    const dense = new Float32Array(32 * 32);
    await checkpoint.readFloat32(name, dense);
    expect(blocks?.offsets.every((value) => value === 0)).toBe(true);
    const rebuilt = dense.map((_, i) => {
      const pair = blocks?.quants[Math.floor(i / 2)] ?? 0;
      return (blocks?.scales[Math.floor(i / blockWidth)] ?? 0) * ((i % 2 ? pair >> 4 : pair & 15) - 8) + 0;
    });
    expect(rebuilt).toEqual(dense.map((value) => value + 0));
    expect(new Set(dense).size).toBeGreaterThan(100);
    await checkpoint.close();
  });
});
