import { beforeAll, describe, expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { openUnembedding } from '../../engine/index.ts';
import { openTokenizer } from '../../engine/tokenizer/index.ts';
import { openRegistry, type Registry, type UnembeddingReader } from '../../sae-registry/index.ts';
import { logitLens } from '../../sae-registry/relations/logit-lens.ts';
import { readSources } from '../../src/read-sources.ts';
import { testCache } from '../harness/default-model.ts';
import { startRealService } from '../harness/real-service.ts';

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

describe('neighbours by where features fire, on texts of the request', () => {
  const texts = [
    'In the beginning God created the heaven and the earth. And God said, Let there be light: and there was light.',
    'Our Father which art in heaven, hallowed be thy name. God is love, and those who pray to God are heard.',
  ];

  it('are those that the same readings give one by one, in every source', async () => {
    const sources = [17, 25].map((block) => `${model.id}/${block}-res-4k`);
    const service = await startRealService({ source: sources });
    const feature = `${model.id}/17-res-4k/837`;
    const answer = await service.ask<Found>('/api/v1/features/neighbors', { feature, by: 'cofiring', texts, limit: 8 });
    const { engine, registry: opened, model: loaded } = service.ready;
    const sequences = texts.map((text) => loaded.tokenizer.encode(text, { addSpecialTokens: true }));
    const rows: { readonly own: boolean; readonly fired: ReadonlySet<string> }[] = [];
    for await (const readings of readSources(service.ready, sequences, sources, null)) {
      for (let t = 1; t < (readings[0]?.activations.tokens ?? 0); t++) {
        if (
          readings.some(
            ({ activations, sinkNorm }) => (activations.norms[t] ?? 0) > (sinkNorm ?? Number.POSITIVE_INFINITY),
          )
        )
          continue;
        const fired = readings.flatMap(({ activations: { offsets, indices } }, s) =>
          Array.from(indices.subarray(offsets[t], offsets[t + 1]), (index) => `${sources[s]}/${index}`),
        );
        rows.push({ own: fired.includes(feature), fired: new Set(fired) });
      }
    }
    const own = rows.filter((row) => row.own).length;
    expect(own).toBeGreaterThan(3);
    expect(answer.counted).toEqual({ tokens: rows.length, fired: own, version: null });
    expect(answer.neighbors.length).toBe(8);
    const valued = [...new Set(rows.flatMap((row) => [...row.fired]))]
      .filter((id) => id !== feature)
      .map((id) => {
        const its = rows.filter(({ fired }) => fired.has(id));
        return { together: its.filter((row) => row.own).length, fired: its.length };
      })
      .filter(({ together }) => together >= 3)
      .map(({ together, fired }) => together / Math.sqrt(own * fired))
      .sort((a, b) => b - a);
    expect(answer.neighbors.map(({ value }) => value)).toEqual(valued.slice(0, 8));
    console.log(answer.neighbors.map(({ id, label, value }) => `${id} ${label} ${value.toFixed(3)}`).join('\n'));

    const missing = await service.get(`/api/v1/features/neighbors?feature=${feature}&by=cofiring`);
    expect(missing.status).toBe(422);
    expect(await missing.json()).toMatchObject({
      code: 'statistics_missing',
      detail: expect.stringContaining('tiller sae stats'),
    });
    const times: number[] = [];
    const lists: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const began = performance.now();
      lists.push(await (await service.get(`/api/v1/features/${feature}/logits`)).json());
      times.push(performance.now() - began);
    }
    console.log(`logits of a feature: ${times.map((each) => `${each.toFixed(0)} ms`).join(', ')}`);
    expect(lists[1]).toEqual(lists[0]);
    expect(engine.statistics().running).toBe(0);
    expect(opened.sources).toHaveLength(2);
    await service.close();
  });
});

interface Found {
  readonly counted: unknown;
  readonly neighbors: readonly { readonly id: string; readonly label: string | null; readonly value: number }[];
}
