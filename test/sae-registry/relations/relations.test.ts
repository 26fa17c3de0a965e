import { describe, expect, it } from 'vitest';
import {
  createDictionary,
  createRelations,
  type DictionaryWeights,
  openRegistry,
  plainDictionary,
  residentVectors,
  similarLabels,
  storedCofiring,
  writeCofirings,
} from '../../../sae-registry/index.ts';
import { BestList } from '../../../sae-registry/relations/best-list.ts';
import { decoderDirections, encoderDirections } from '../../../sae-registry/relations/feature-directions.ts';
import { logitLens, type UnembeddingReader } from '../../../sae-registry/relations/logit-lens.ts';
import { streamDepth } from '../../../sae-registry/relations/stream-depth.ts';

const model = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: 'x' };
const id = (block: number) => `${model.id}/${block}-res-4k`;
const opened = openRegistry({ model, sources: [8, 17, 25].map(id) });
const refuse = () => Promise.reject(new Error('not part of this test'));
let turns = 0;
const pace = { isDue: () => true, turn: async () => void turns++ };
const relations = opened.then((registry) => createRelations({ registry, unembedding: refuse, pace }));

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};
const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** The features of a source by a score, largest first, the plain way. */
async function ranked(block: number, score: (feature: number) => number) {
  const source = (await opened).sources.find((candidate) => candidate.id === id(block));
  const { features } = source?.dictionary ?? { features: 0 };
  return Array.from({ length: features }, (_, feature) => ({ feature, value: score(feature) })).sort(
    (a, b) => b.value - a.value,
  );
}
const feature = async (block: number, index: number) =>
  (await opened).sources.find((candidate) => candidate.id === id(block))?.dictionary.feature(index) ?? (await refuse());

describe('neighbours', () => {
  it('are those with the largest cosines, over all sources, without the feature itself', async () => {
    const registry = await opened;
    const found = await (await relations).neighbours({
      feature: `${id(17)}/837`,
      by: 'decoder',
      sources: null,
      limit: 12,
    });
    const { decoder } = await feature(17, 837);
    const expected = registry.sources
      .flatMap(({ id: source, dictionary }) =>
        Array.from({ length: dictionary.features }, (_, index) => ({
          id: `${source}/${index}`,
          value: cosine(decoder, dictionary.feature(index).decoder),
        })),
      )
      .filter((candidate) => candidate.id !== `${id(17)}/837`)
      .sort((a, b) => b.value - a.value)
      .slice(0, 12);
    expect(found.neighbours.map((neighbour) => neighbour.id)).toEqual(expected.map((neighbour) => neighbour.id));
    for (const [i, { value }] of found.neighbours.entries()) expect(value).toBeCloseTo(expected[i]?.value ?? 0, 6);
    expect(found.compared).toBe(3 * 4096);
    expect(found.neighbours.every(({ label }) => label !== null)).toBe(true);
    expect(turns).toBeGreaterThan(10);
  });

  it('by what is read, in one source', async () => {
    const found = await (await relations).neighbours({
      feature: '8-res-4k/12',
      by: 'encoder',
      sources: ['25-res-4k'],
      limit: 3,
    });
    const { encoder } = await feature(8, 12);
    const source = (await opened).sources[2];
    const expected = await ranked(25, (index) => cosine(encoder, source?.dictionary.feature(index).encoder ?? encoder));
    expect(found.neighbours.map(({ index }) => index)).toEqual(expected.slice(0, 3).map((each) => each.feature));
  });

  it('of what is not there are refused', async () => {
    const query = { feature: '17-res-4k/1', by: 'decoder', limit: 3 } as const;
    await expect((await relations).neighbours({ ...query, sources: ['17-res-4x'] })).rejects.toMatchObject({
      code: 'source_not_found',
      param: 'sources[0]',
      suggestions: expect.arrayContaining(['17-res-4k']),
    });
    await expect(
      (await relations).neighbours({ ...query, feature: '17-res-4k/5000', sources: null }),
    ).rejects.toMatchObject({
      code: 'feature_not_found',
      param: 'feature',
    });
  });
});

describe('virtual weights', () => {
  it('are what a unit of an earlier feature adds to what later ones read, with the threshold that has to be passed', async () => {
    const found = await (await relations).weights({ feature: `${id(8)}/3282`, sources: null, limit: 5 });
    expect(found.readers.map(({ source }) => source)).toEqual([id(17), id(25)]);
    const { decoder } = await feature(8, 3282);
    const source = (await opened).sources[1];
    if (!source) throw new Error('no source');
    const expected = await ranked(17, (index) => dot(decoder, source.dictionary.feature(index).encoder));
    const [reader] = found.readers;
    expect(reader?.raised.map(({ index }) => index)).toEqual(expected.slice(0, 5).map((each) => each.feature));
    expect(reader?.lowered.map(({ index }) => index)).toEqual(
      expected
        .slice(-5)
        .reverse()
        .map((each) => each.feature),
    );
    expect(reader?.raised[0]?.value).toBeCloseTo(expected[0]?.value ?? 0, 6);
    const { threshold, bias } = await feature(17, reader?.raised[0]?.index ?? 0);
    expect(reader?.raised[0]?.effectiveThreshold).toBeCloseTo(threshold - bias, 6);
  });

  it('onto a source that reads earlier are refused', async () => {
    const query = { feature: '17-res-4k/1', sources: ['8-res-4k'], limit: 5 };
    await expect((await relations).weights(query)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/8-res-4k reads at blocks\.8.*before .*17-res-4k/),
      param: 'sources[0]',
    });
    expect((await (await relations).weights({ ...query, feature: '25-res-4k/1', sources: null })).readers).toEqual([]);
  });

  it.each([
    ['blocks.8.hook_resid_post', 9, true],
    ['blocks.9.hook_resid_pre', 9, true],
    ['blocks.9.hook_resid_mid', 9.5, true],
    ['blocks.9.hook_mlp_out', 10, false],
    ['hook_embed', 0, true],
  ])('%s has %d blocks before it', (hookPoint, depth, read) => {
    expect(streamDepth(hookPoint)).toEqual({ depth, read });
    expect(streamDepth('blocks.9.attn.hook_z')).toBeNull();
  });
});

describe('the directions of a dictionary', () => {
  const numbers = (count: number, seed: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.cos(seed * (i + 1)));
  const weights: DictionaryWeights = {
    ...plainDictionary,
    ...{ modelName: null, hookPoint: null, hookPointOut: null, hash: 'x' },
    encoder: residentVectors(numbers(15, 2), 5, 3),
    decoder: residentVectors(numbers(15, 5), 5, 3),
    encoderBias: new Float32Array(5),
    decoderBias: new Float32Array(3),
  };
  it.each([
    ['plain', {}],
    ['scaled', { inputScale: 0.25 }],
    ['folded', { foldDecoderNorms: true, inputScale: 3 }],
    ['centred', { centred: true, foldDecoderNorms: true }],
  ])('are those of its features, many at a time: %s', (_, changed) => {
    const dictionary = createDictionary({ ...weights, ...changed });
    const [encoder, decoder] = [encoderDirections(dictionary).read(1, 4), decoderDirections(dictionary).read(1, 4)];
    for (let index = 1; index < 5; index++) {
      const expected = dictionary.feature(index);
      for (let i = 0; i < 3; i++) {
        expect(encoder[(index - 1) * 3 + i]).toBeCloseTo(expected.encoder[i] ?? 0, 6);
        expect(decoder[(index - 1) * 3 + i]).toBeCloseTo(expected.decoder[i] ?? 0, 6);
      }
    }
  });
});

describe('the logit lens', () => {
  const [tokens, width] = [7, 3];
  const rows = Float32Array.from({ length: tokens * width }, (_, i) => Math.sin(3 * i + 1));
  const gain = Float32Array.of(0.5, 2, -1);
  const reader = (centres: boolean): UnembeddingReader => ({
    ...{ width, tokens, centres },
    gain: async () => gain,
    async *rows() {
      yield { first: 0, rows: 5, values: rows.subarray(0, 15) };
      yield { first: 5, rows: 2, values: rows.subarray(15) };
    },
  });
  const direction = Float32Array.of(1, -2, 4);
  it.each([false, true])('is direction · gain · unembedding less its mean (centring: %s)', async (centres) => {
    const mean = centres ? 1 : 0;
    const logits = Array.from({ length: tokens }, (_, token) =>
      dot(
        direction.map((value, i) => (value - mean) * (gain[i] ?? 0)),
        rows.subarray(token * width, (token + 1) * width),
      ),
    );
    const middle = logits.reduce((sum, value) => sum + value, 0) / tokens;
    const order = logits.map((value, index) => ({ index, value: value - middle })).sort((a, b) => b.value - a.value);
    const [lens] = await logitLens([direction], reader(centres), { limit: 3, pace: null });
    const close = (items: readonly { index: number; value: number }[]) =>
      items.map(({ index, value }) => ({ index, value: expect.closeTo(value, 5) }));
    expect(lens?.top).toEqual(close(order.slice(0, 3)));
    expect(lens?.bottom).toEqual(close(order.slice(-3).reverse()));
    const [asked] = await logitLens([direction], reader(centres), { limit: 1, pace, only: [6, 2] });
    expect(asked?.top).toEqual(
      close(order.filter(({ index }) => index === 2 || index === 6).sort((a, b) => a.index - b.index)),
    );
  });
});

describe('a best list', () => {
  it('keeps the largest, equal ones by index, and no NaN', () => {
    const list = new BestList(3);
    for (const [index, value] of [1, 5, Number.NaN, 5, 2, 9].entries()) list.offer(index, value);
    expect(list.items).toEqual([
      { index: 5, value: 9 },
      { index: 1, value: 5 },
      { index: 3, value: 5 },
    ]);
  });
});

describe('neighbours by label and by kept co-firing', () => {
  it('name features of loaded sources, with the label that is near', async () => {
    const registry = await opened;
    const asked: unknown[] = [];
    const label = { text: 'near', method: 'm', author: 'a', clarity: null };
    const found = await similarLabels(
      registry,
      { feature: '17-res-4k/837', sources: ['8-res-4k'], limit: 3 },
      async (...query) => {
        asked.push(query);
        const its = { id: `${id(8)}/5`, model: model.id, source: '8-res-4k', index: 5, layer: 8, density: null };
        return { label: 'own', neighbours: [{ ...its, label, similarity: 0.9 }], labels: 10, missing: 2 };
      },
    );
    expect(asked).toEqual([[`${id(17)}/837`, [id(8)], 3]]);
    expect(found).toMatchObject({ feature: { label: 'own' }, sources: [id(8)], compared: 8, missing: 2 });
    expect(found.neighbours).toMatchObject([{ id: `${id(8)}/5`, label: 'near', value: 0.9 }]);
    await expect(
      similarLabels(registry, { feature: '17-res-4k/837', sources: ['none'], limit: 3 }, refuse),
    ).rejects.toMatchObject({ code: 'source_not_found', param: 'sources[0]' });
  });

  it('are refused where nothing was collected, and say over what they were', async () => {
    const registry = await opened;
    const source = registry.sources.find((candidate) => candidate.id === id(25));
    if (!source) return refuse();
    expect(() => storedCofiring(registry, `${id(25)}/3`, 5)).toThrow(/tiller sae stats/);
    const others = [
      { index: 7, together: 40, fired: 50 },
      { index: 9, together: 10, fired: 10 },
    ];
    const origin = { source: source.key, version: 'v', tokens: 500 };
    writeCofirings(registry.store, origin, [{ feature: 3, fired: 80, others }]);
    const found = storedCofiring(registry, `${id(25)}/3`, 1);
    expect(found.counted).toEqual({ tokens: 500, fired: 80, version: 'v' });
    expect(found.neighbours).toMatchObject([{ id: `${id(25)}/7`, cofiring: { fired: 50, together: 40 } }]);
    expect(found.neighbours[0]?.value).toBeCloseTo(40 / Math.sqrt(80 * 50), 12);
    expect(storedCofiring(registry, `${id(25)}/4`, 1)).toMatchObject({ neighbours: [], counted: { fired: 0 } });
  });
});
