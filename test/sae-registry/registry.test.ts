import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledSources, countLabels, openRegistry, type Registry } from '../../sae-registry/index.ts';

const smollm2 = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: 'abc' };
const tiny = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc' };
const fixtures = join(import.meta.dirname, '../fixtures/tiny-sae');
const id = 'smollm2-135m-instruct/17-res-4k';
const temporary = mkdtempSync(join(tmpdir(), 'tiller-registry-'));
afterAll(() => rmSync(temporary, { recursive: true }));

describe('the bundled source', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await openRegistry({ model: smollm2, sources: [id] });
  });

  it('is found by its id and opened with card, statistics and labels', () => {
    expect(bundledSources()).toEqual(['8', '17', '25'].map((block) => `smollm2-135m-instruct/${block}-res-4k`));
    const [source] = registry.sources;
    expect(source).toMatchObject({ id, name: '17-res-4k', hookPoint: 'blocks.17.hook_resid_post' });
    expect(source?.dictionary.features).toBe(4096);
    expect(countLabels(registry.store, source?.key ?? 0)).toBe(4096);
    expect(source?.statistics?.version).toMatch(/^1-[0-9a-f]{12}$/);
  });

  it('turns a feature id, long or short, into directions', () => {
    const target = registry.target(`${id}/837`, 'p');
    expect(target).toMatchObject({ kind: 'feature', id: `${id}/837`, hookPoint: 'blocks.17.hook_resid_post' });
    if (target.kind !== 'feature' || target.encoder === null) throw new Error('no feature');
    expect(target).toMatchObject({ maxActivation: 42.034, sinkNorm: 1128.77, streamNorm: 188.129 });
    expect(Math.hypot(...target.decoder)).toBeCloseTo(1, 3);
    const dot = target.encoder.direction.reduce((sum, value, i) => sum + value * (target.decoder[i] as number), 0);
    expect(dot).toBeGreaterThan(0.54);
    expect(dot).toBeLessThan(0.89);
    expect(target.encoder.threshold).toBeGreaterThan(0);
    for (const short of ['17-res-4k/837', '837']) expect(registry.target(short, 'p')).toEqual(target);
    expect(registry.sourceOf('17-res-4k/837').id).toBe(id);
  });

  it('tells all it knows of a feature', () => {
    const feature = registry.get('smollm2-135m-instruct', '17-res-4k', '837');
    expect(feature).toMatchObject({
      id: `${id}/837`,
      index: 837,
      label: 'God, heaven and prayers',
      labels: [{ text: 'God, heaven and prayers', method: 'llm-top-examples', clarity: 3 }],
      statistics: { p999: 42.034, max: 51.784 },
    });
    expect(feature.statistics?.histogram).toHaveLength(20);
    expect(feature.topLogits).toHaveLength(10);
    expect(feature.topTokens).toContain(' God');
    expect(feature.examples[0]?.tokens.length).toBeGreaterThan(0);
    expect(feature.encoderDotDecoder).toBeCloseTo(0.7836, 3);
    expect(registry.get('smollm2-135m-instruct', '17-res-4k', '4095').index).toBe(4095);
  });

  it.each([
    ['gpt2/17-res-4k/1', 'model_not_found', /gpt2/, ['smollm2-135m-instruct']],
    ['17-res-4/1', 'source_not_found', /17-res-4k/, ['17-res-4k']],
    ['17-res-4k/4096', 'feature_not_found', /0 to 4095/, []],
    ['17-res-4k/-1', 'feature_not_found', /0 to 4095/, []],
    ['17-res-4k/1e2', 'feature_not_found', /0 to 4095/, []],
    ['a/b/c/d', 'feature_not_found', /model\/source\/index/, []],
    ['', 'feature_not_found', /model\/source\/index/, []],
  ])('refuses the id %j as %s', (featureId, code, message, suggestions) => {
    const refused = { code, message: expect.stringMatching(message), suggestions, param: 'steering.edits[0].feature' };
    expect(() => registry.target(featureId, 'steering.edits[0].feature')).toThrow(expect.objectContaining({ code }));
    try {
      registry.target(featureId, 'steering.edits[0].feature');
    } catch (error) {
      expect(error).toMatchObject(refused);
    }
  });

  it('knows the stream norm of its own place in both spellings, and of no other', () => {
    const norm = { norm: 188.129, version: '1', from: id };
    expect(registry.streamNorm('blocks.17.hook_resid_post')).toEqual(norm);
    expect(registry.streamNorm('blocks.18.hook_resid_pre')).toEqual(norm);
    expect(registry.streamNorm('blocks.17.hook_resid_mid')).toBeNull();
    expect(registry.streamNorm('blocks.99.hook_resid_mid')).toBeNull();
    expect(registry.vectorTarget('v', 'blocks.3.hook_resid_post', new Float32Array(576))).toMatchObject({
      streamNorm: null,
    });
  });

  it.each([
    [{ dModel: 512 }, /576 wide/],
    [{ id: 'gpt2' }, /not of gpt2/],
    [{ blocks: 12 }, /12 blocks/],
  ])('is refused for another model: %j', async (changes, message) => {
    await expect(openRegistry({ model: { ...smollm2, ...changes }, sources: [id] })).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe('a folder of one’s own', () => {
  const folder = join(temporary, 'mine');
  beforeAll(() => cpSync(join(fixtures, 'jumprelu-v6'), folder, { recursive: true }));
  const open = () => openRegistry({ model: tiny, sources: [folder] });

  it('needs no card, statistics or labels', async () => {
    const registry = await open();
    expect(registry.target('mine/3', 'p')).toMatchObject({
      id: 'tiny-model/mine/3',
      maxActivation: null,
      sinkNorm: null,
      streamNorm: null,
    });
    expect(registry.get('tiny-model', 'mine', '3')).toMatchObject({
      label: null,
      labels: [],
      statistics: null,
      examples: [],
    });
  });

  it('takes stream norms measured on these very weights only', async () => {
    const path = join(temporary, 'norms.json');
    const file = { model: 'tiny-model', hash: 'abc', version: 2, norms: { 'blocks.2.hook_resid_pre': 7.5 } };
    const normWith = async (changes: object) => {
      writeFileSync(path, JSON.stringify({ ...file, ...changes }));
      return (await openRegistry({ model: tiny, sources: [folder], streamNorms: path })).streamNorm(
        'blocks.1.hook_resid_post',
      );
    };
    expect(await normWith({})).toEqual({ norm: 7.5, version: '2', from: 'blocks.1.hook_resid_post' });
    expect(await normWith({ hash: 'other' })).toBeNull();
    await expect(normWith({ norms: { 'blocks.9.hook_resid_pre': 1 } })).rejects.toMatchObject({
      code: 'source_invalid',
    });
    await expect(normWith({ norms: { 'blocks.2.hook_resid_pre': -1 } })).rejects.toMatchObject({
      code: 'source_invalid',
    });
  });

  const record = { index: 0, density: 0.1, max: 2, p999: 1.5, mean: 1, histogram: [1] };
  it.each([
    ['features.jsonl', JSON.stringify({ ...record, index: 32 }), /feature 32/],
    ['features.jsonl', `${JSON.stringify(record)}\n${JSON.stringify(record)}`, /feature 0 twice/],
    ['features.jsonl', `${JSON.stringify(record)}\n{"index": 1}`, /line 2 is malformed/],
    ['features.jsonl', 'nonsense', /line 1 is not JSON/],
    ['features.jsonl', 'x'.repeat(2 ** 20 + 1), /longer/],
    ['labels.jsonl', '{"index": 40, "label": "x"}', /feature 40/],
    ['labels.jsonl', '{"index": 1, "label": ""}', /malformed/],
    ['source.json', '{"id": "no-slash"}', /model\/name/],
    ['source.json', '{"id": "other-model/mine"}', /not of tiny-model/],
    ['source.json', '{"id": "tiny-model/mine", "features": 31}', /31 features/],
    ['source.json', '{"id": "tiny-model/mine", "hook_point": "blocks.0.hook_resid_post"}', /card says hook point/],
    ['source.json', '{"id": "tiny-model/mine", "sink_norm": -1}', /malformed/],
  ])('is refused with a %s that says %s', async (name, content, message) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    try {
      await expect(open()).rejects.toMatchObject({ code: 'source_invalid', message: expect.stringMatching(message) });
    } finally {
      rmSync(path);
    }
  });

  it('reads statistics across chunk and line ends, and several labels', async () => {
    const lines = Array.from({ length: 32 }, (_, index) => ({
      ...record,
      index,
      p999: index + 0.5,
      top_tokens: ['é'.repeat(999)],
    }));
    writeFileSync(
      join(folder, 'features.jsonl'),
      lines
        .reverse()
        .map((line) => JSON.stringify(line))
        .join('\r\n\n'),
    );
    writeFileSync(
      join(folder, 'labels.jsonl'),
      '{"index":3,"label":"cats"}\n{"index":3,"label":"felines","author":"me","clarity":2}\n{"index":5,"label":"cat"}',
    );
    const registry = await open();
    for (let index = 0; index < 32; index++) {
      expect(registry.get('tiny-model', 'mine', `${index}`).statistics).toMatchObject({ p999: index + 0.5 });
      expect(registry.target(`mine/${index}`, 'p')).toMatchObject({ maxActivation: index + 0.5 });
    }
    expect(registry.get('tiny-model', 'mine', '3')).toMatchObject({
      label: 'cats',
      labels: [{ author: 'unknown' }, { author: 'me' }],
    });
    rmSync(join(folder, 'features.jsonl'));
    rmSync(join(folder, 'labels.jsonl'));
  });

  it('is found, or the nearest bundled id is named', async () => {
    await expect(openRegistry({ model: smollm2, sources: ['smollm2-135m-instruct/17-res'] })).rejects.toMatchObject({
      code: 'source_not_found',
      suggestions: expect.arrayContaining([id]),
    });
    await expect(openRegistry({ model: tiny, sources: [folder, folder] })).rejects.toMatchObject({
      code: 'source_invalid',
    });
  });
});
