import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { openUnembedding } from '../../engine/unembedding.ts';

const fixtures = join(import.meta.dirname, '../fixtures');

describe('the unembedding of a checkpoint', () => {
  it.each([
    ['tiny-llama/bf16-sharded', 'lm_head.weight', false],
    ['families/gpt2', 'model.embed_tokens.weight', true],
    ['families/gemma2', 'model.embed_tokens.weight', false],
  ])('%s is read row by row, with the gain of its final norm', async (name, weight, centres) => {
    const checkpoint = await openCheckpoint(join(fixtures, name));
    const unembedding = await openUnembedding(join(fixtures, name));
    const { width, tokens } = unembedding;
    const expected = new Float32Array(width * tokens);
    await checkpoint.readFloat32(weight, expected);
    const gain = new Float32Array(width);
    await checkpoint.readFloat32('model.norm.weight', gain);
    await checkpoint.close();
    expect(unembedding.centres).toBe(centres);
    expect(await unembedding.gain()).toEqual(gain);
    const rows = new Float32Array(width * tokens);
    let next = 0;
    for await (const { first, rows: count, values } of unembedding.rows()) {
      expect(first).toBe(next);
      next += count;
      rows.set(values.subarray(0, count * width), first * width);
    }
    expect(next).toBe(tokens);
    expect(rows).toEqual(expected);
  });
});
