import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from '../../../engine/core/index.ts';
import { importNeuronpedia } from '../../../sae-registry/index.ts';
import {
  examplesOf,
  type KnownSource,
  labelsOf,
  openStore,
  registerSource,
  type Store,
  statisticsOf,
} from '../../../sae-registry/store/index.ts';
import { type ExportOptions, writeNeuronpediaExport } from '../../harness/neuronpedia-export.ts';
import { sourceFacts } from '../store/source-facts.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-neuronpedia-'));
afterAll(() => rmSync(temporary, { recursive: true }));

let store: Store;
let source: KnownSource;
let number = 0;
beforeEach(async () => {
  store = await openStore(null);
  source = registerSource(store, sourceFacts());
});

const write = (options: Partial<ExportOptions> = {}) =>
  writeNeuronpediaExport(join(temporary, String(number++)), { features: 20, ...options });
const read = (folder: string, options: { from?: string; signal?: AbortSignal } = {}) =>
  importNeuronpedia(store, source, { paths: [folder], from: null, ...options });

/** Everything that an import leaves, without the numbers of rows and times. */
function contents(of: Store) {
  const all = (sql: string) => of.connection.prepare(sql).all();
  return {
    labels: all('select feature, text, method, author, clarity from labels order by feature, text'),
    scores: all(
      'select l.feature, s.method, s.score from label_scores s join labels l on l.id = s.label order by 1, 2',
    ),
    statistics: all('select * from statistics order by feature').map((row) => ({ ...(row as object), artifact: 0 })),
    examples: all('select * from examples order by feature, rank').map((row) => ({ ...(row as object), artifact: 0 })),
    artifacts: all('select kind, origin, hash, bytes from artifacts order by origin'),
    jobs: all('select kind, key, state, done from jobs order by key'),
  };
}

describe('a Neuronpedia export', () => {
  it('becomes labels with scores, statistics and the strongest examples with their values', async () => {
    const seen: Progress[] = [];
    const result = await importNeuronpedia(store, source, {
      paths: [write()],
      from: null,
      onProgress: (progress) => seen.push(progress),
    });
    expect(result).toEqual({
      ...{ files: 9, skipped: 0, features: 20, labels: 20, examples: 480, withoutHistogram: 0 },
      ...{ bad: [], badLines: 0 },
    });
    expect(labelsOf(store, source.key, 3)).toMatchObject([
      {
        ...{ text: 'cats of kind 3', method: 'oai_token-act-pair', author: 'gpt-4o-mini' },
        scores: [{ method: 'eleuther_fuzz', author: 'gpt-4o-mini', score: 0.75, judgements: null }],
      },
    ]);
    const figures = statisticsOf(store, source.key, 8);
    expect(figures).toMatchObject({ max: 3, topLogits: [' cats', ' cat'], bottomLogits: ['ÃÂ', ' dogs'] });
    expect(figures?.density).toBeCloseTo(0.009, 9);
    expect(figures?.version).toMatch(/^neuronpedia-[0-9a-f]{12}$/);
    expect(figures?.histogram).toEqual(Array.from({ length: 40 }, (_, i) => 100 - 2 * i));
    // the bar of the 99.9th of a hundred per cent is the last one: its upper edge is the maximum
    expect(figures?.p999).toBeCloseTo(3, 3);
    const heights = Array.from({ length: 40 }, (_, i) => 100 - 2 * i);
    const sum = heights.reduce((a, b) => a + b, 0);
    expect(figures?.mean).toBeCloseTo(heights.reduce((a, h, i) => a + (h * 3 * (i + 0.5)) / 40, 0) / sum, 3);
    const examples = examplesOf(store, source.key, 8);
    expect(examples).toHaveLength(20);
    expect(examples[0]).toEqual({
      tokens: ['<|endoftext|>', 'the 8', ' cat 0', '.'],
      values: Float32Array.of(0, 0, 3, 0.75),
      peak: 3,
    });
    const { done, total } = seen.at(-1) as Progress;
    expect(done).toBe(total);
    expect(new Set(seen.map(({ label }) => label)).size).toBe(3);
  });

  it('ends as the same store when it is cut off anywhere and begun again', async () => {
    const folder = write({ features: 24, passages: 30, batch: 24 });
    await read(folder);
    const whole = contents(store);
    for (const stop of [1, 2, 3, 4]) {
      store = await openStore(null);
      source = registerSource(store, sourceFacts());
      const controller = new AbortController();
      let pieces = 0;
      const onProgress = () => void (++pieces === stop && controller.abort(new Error('stopped')));
      const cut = importNeuronpedia(store, source, {
        paths: [folder],
        from: null,
        signal: controller.signal,
        onProgress,
      });
      if (stop < 4) await expect(cut).rejects.toThrow('stopped');
      else await cut;
      if (stop < 4) expect(contents(store)).not.toEqual(whole);
      await read(folder);
      expect(contents(store)).toEqual(whole);
    }
  });

  it('is read once', async () => {
    const folder = write();
    await read(folder);
    const before = contents(store);
    expect(await read(folder)).toMatchObject({ files: 0, skipped: 9, labels: 0 });
    expect(contents(store)).toEqual(before);
  });

  it('is taken by single files and folders, packed or not', async () => {
    const folder = write();
    const packed = join(folder, 'explanations', 'batch-1.jsonl.gz');
    const plain = join(folder, 'explanations', 'batch-7.jsonl');
    writeFileSync(plain, gunzipSync(readFileSync(join(folder, 'explanations', 'batch-0.jsonl.gz'))));
    const paths = [packed, plain, join(folder, 'features')];
    expect(await importNeuronpedia(store, source, { paths, from: null })).toMatchObject({
      ...{ files: 5, labels: 16, features: 20, examples: 0 },
    });
  });

  it('loses its bad lines alone', async () => {
    const folder = write();
    const file = join(folder, 'explanations', 'batch-0.jsonl.gz');
    const lines = gunzipSync(readFileSync(file)).toString().split('\n');
    lines[1] = 'nonsense';
    lines[3] = lines[3]?.replace('cats of kind 3', ' ') ?? '';
    writeFileSync(file, gzipSync(lines.join('\n')));
    expect(await read(folder)).toMatchObject({
      labels: 18,
      badLines: 2,
      bad: [
        { file, line: 2, reason: 'is not JSON.' },
        { file, line: 4, reason: expect.stringMatching(/description/) },
      ],
    });
  });

  it('leaves features out that fire but have no histogram, and takes those that never fire', async () => {
    const folder = write();
    const owner = { modelId: 'gpt2-small', layer: '1-res-jb' };
    const rows = [
      { ...owner, index: 1, maxActApprox: 3, frac_nonzero: 0.5 },
      {
        ...owner,
        index: 2,
        maxActApprox: 0,
        frac_nonzero: 0,
        freq_hist_data_bar_heights: [],
        freq_hist_data_bar_values: [],
      },
    ];
    const file = join(folder, 'features', 'batch-9.jsonl');
    writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
    const result = await importNeuronpedia(store, source, { paths: [file], from: null });
    expect(result).toMatchObject({ features: 1, withoutHistogram: 1 });
    expect(statisticsOf(store, source.key, 1)).toBeNull();
    expect(statisticsOf(store, source.key, 2)).toMatchObject({ density: 0, max: 0, p999: 0, histogram: [] });
  });

  it.each([
    [
      'another layer',
      { layer: '2-res-jb' },
      undefined,
      /is of layer 2; tiny-model\/res is of layer 1.*--from MODEL\/2-res-jb/,
    ],
    ['another hook point', { hookName: 'blocks.1.hook_mlp_out' }, undefined, /is of blocks.1.hook_mlp_out/],
    [
      'another source than was said',
      {},
      'gpt2-small/2-res-jb',
      /is of gpt2-small\/1-res-jb, not of gpt2-small\/2-res-jb/,
    ],
    ['more features', { features: 26 }, undefined, /has feature 24; the features of tiny-model\/res are 0 to 23/],
  ])('of %s is refused, and nothing is written', async (_what, options, from, message) => {
    await expect(read(write(options), from === undefined ? {} : { from })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
    expect(contents(store)).toMatchObject({ labels: [], statistics: [], examples: [] });
  });

  it('is taken for another layer where the user says so, and in the other spelling of its place', async () => {
    const folder = write({ layer: '2-res-jb', hookName: 'blocks.2.hook_resid_pre' });
    expect(await read(folder, { from: 'gpt2-small/2-res-jb' })).toMatchObject({ labels: 20 });
  });

  it('of two sources at once is refused', async () => {
    const one = write();
    const other = write({ layer: '1-res-other' });
    const both = importNeuronpedia(store, source, { paths: [one, other], from: null });
    await expect(both).rejects.toThrow(/is of gpt2-small\/1-res-other, not of gpt2-small\/1-res-jb/);
  });

  it.each([
    [
      'a damaged file',
      (file: string) => writeFileSync(file, readFileSync(file).subarray(0, -20)),
      /cannot be unpacked/,
    ],
    ['no gzip', (file: string) => writeFileSync(file, 'plain text'), /cannot be unpacked/],
  ])('is refused with %s', async (_what, damage, message) => {
    const folder = write();
    damage(join(folder, 'features', 'batch-0.jsonl.gz'));
    await expect(read(folder)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(message),
    });
  });

  it.each(['/nowhere', temporary])('is refused where there is none: %s', async (path) => {
    await expect(read(path)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/no files/),
    });
  });
});
