import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeGguf } from '../../../bench/weights/write-gguf.ts';
import {
  openCheckpoint,
  prepareBlockWeights,
  prepareFloat32Weights,
  prepareTileWeights,
} from '../../../engine/checkpoint/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { familyGolden, largestDifference, logitsDifference, runInChunks } from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-families-gguf-');
const sets = await operatorSets();
const [{ kernels }] = sets;
const folder = resolve(import.meta.dirname, '../../fixtures/families-gguf');

/** Gemma's fixtures have a score scale that no GGUF file states; gguf-families.test.ts compares their weights and configurations. */
describe.each(['gpt2', 'gpt_neox', 'llama3', 'llama_biased', 'llama_narrow', 'mistral', 'qwen2', 'qwen3'] as const)(
  '%s from a GGUF file',
  (name) => {
    it('gives the logits of transformers at every position', async () => {
      const checkpoint = await openCheckpoint(join(folder, `${name}.gguf`));
      const { config } = checkpoint;
      const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
      await checkpoint.close();
      const context = Math.min(64, config.contextLength);
      const executor = await openExecutor({ config, weights, slots: 1, context, threads: 1, kernels, maxChunk: 64 });
      for (const one of familyGolden(name).cases) {
        expect(logitsDifference(await runInChunks(executor, one.ids, one.ids.length), one), one.name).toBeLessThan(
          1e-4,
        );
      }
      await executor.close();
    });
  },
);

describe.each(sets)('a file in Q4_0 with the operators of $operators', (set) => {
  it('is executed as its own blocks, and gives what its dequantised weights give', async () => {
    const path = join(cacheDirectory, `mistral.${set.operators}.Q4_0.gguf`);
    await writeGguf(join(folder, 'mistral.gguf'), path, 'Q4_0');
    const checkpoint = await openCheckpoint(path);
    const { config } = checkpoint;
    const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
    const forms = [await prepareBlockWeights(checkpoint, { cacheDirectory })];
    if (set.kernels !== null) forms.push(await prepareTileWeights(checkpoint, { cacheDirectory }));
    await checkpoint.close();
    const how = { config, weights, slots: 1, context: 48, threads: 1, kernels: set.kernels };
    const [, long] = familyGolden('mistral').cases;
    const ids = long?.ids ?? [];
    const run = async (linears?: Parameters<typeof openExecutor>[0]['linears']) => {
      const executor = await openExecutor({ ...how, linears });
      const { logits } = await runInChunks(executor, ids, 7);
      await executor.close();
      return logits;
    };
    const want = await run();
    expect(forms[0]?.forms.get('model.layers.0.self_attn.qkv_proj')).toBe('blocks4');
    for (const stored of forms) {
      const got = await run({ stored, blockInput: 'float32' });
      for (const [at, row] of got.entries()) {
        expect(largestDifference(row, want[at] ?? new Float32Array())).toBeLessThan(1e-4);
      }
    }
  });
});
