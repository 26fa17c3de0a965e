import { beforeAll, describe, expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { openUnembedding } from '../../engine/index.ts';
import { openTokenizer } from '../../engine/tokenizer/index.ts';
import { openRegistry, type Registry, type UnembeddingReader } from '../../sae-registry/index.ts';
import { logitLens } from '../../sae-registry/relations/logit-lens.ts';
import { testCache } from '../harness/default-model.ts';

const model = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: 'x' };
const sampled = 50;
let registry: Registry;
let unembedding: UnembeddingReader;
let tokenText: (id: number) => string;
beforeAll(async () => {
  const { path } = await acquireModel(model.id, { cacheDirectory: testCache });
  const checkpoint = await openCheckpoint(path);
  const { tokenizer, encoder } = await openTokenizer(checkpoint);
  await Promise.all([checkpoint.close(), encoder.close()]);
  tokenText = (id) => tokenizer.tokenText(id);
  unembedding = await openUnembedding(path);
  registry = await openRegistry({ model, sources: [8, 17, 25].map((block) => `${model.id}/${block}-res-4k`) });
});

describe('the logit lens of bundled features', () => {
  it.each([0, 1, 2])('gives the lists that came with source %i, of fifty features', async (at) => {
    const source = registry.sources[at];
    if (!source) throw new Error('no source');
    const features = Array.from({ length: sampled }, (_, i) => Math.floor((i * source.dictionary.features) / sampled));
    const directions = features.map((index) => source.dictionary.feature(index).decoder);
    const lenses = await logitLens(directions, unembedding, { limit: 10, pace: null });
    const equal = features.filter((index, i) => {
      const { topLogits, bottomLogits } = registry.get(model.id, source.name, `${index}`);
      const texts = (items: readonly { readonly index: number }[] | undefined, count: number) =>
        items?.slice(0, count).map((item) => tokenText(item.index));
      const same = [texts(lenses[i]?.top, topLogits.length), texts(lenses[i]?.bottom, bottomLogits.length)];
      return JSON.stringify(same) === JSON.stringify([topLogits, bottomLogits]);
    });
    console.log(`${source.id}: ${equal.length} of ${sampled} lists equal`);
    expect(equal.length).toBeGreaterThanOrEqual(0.95 * sampled);
  });
});
