import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, prepareFloat32Weights } from '../../../engine/checkpoint/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { familyGolden, logitsDifference, runInChunks } from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-families-gguf-');
const [{ kernels }] = await operatorSets();
const folder = resolve(import.meta.dirname, '../../fixtures/families-gguf');

/** Gemma's fixtures have a score scale that no GGUF file states; gguf-families.test.ts compares their weights and configurations. */
describe.each(['gpt2', 'gpt_neox', 'llama3', 'mistral', 'qwen2', 'qwen3'] as const)('%s from a GGUF file', (name) => {
  it('gives the logits of transformers at every position', async () => {
    const checkpoint = await openCheckpoint(join(folder, `${name}.gguf`));
    const { config } = checkpoint;
    const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
    await checkpoint.close();
    const context = Math.min(64, config.contextLength);
    const executor = await openExecutor({ config, weights, slots: 1, context, threads: 1, kernels, maxChunk: 64 });
    for (const one of familyGolden(name).cases) {
      expect(logitsDifference(await runInChunks(executor, one.ids, one.ids.length), one), one.name).toBeLessThan(1e-4);
    }
    await executor.close();
  });
});
