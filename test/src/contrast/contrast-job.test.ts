import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobInput, JobModel, JobRun } from '../../../src/jobs/job-kind.ts';
import { contrastJob as kind } from '../../../src/jobs/kinds/contrast.ts';
import { sweepJob } from '../../../src/jobs/kinds/sweep.ts';
import { startTinyService, type TinyService, tinyModel } from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
let model: JobModel;
const parameters = { hook_points: ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post'], folds: 4, nearest: 0 };
const words = ['sun', 'rain', 'tree', 'sea', 'bird', 'road', 'house', 'night'];
const sides = words.map((word, at) => ({
  positive: `The ${word} is 12345`,
  negative: `The ${word} is abcde`,
  topic: `t${at % 4}`,
}));
/** Positive ones first, negative ones backwards: only 'pair' says what belongs together. */
const paired: JobInput[] = [
  ...sides.map(({ positive: text, topic }, i) => ({ text, topic, class: 'positive' as const, pair: `p${i}` })),
  ...sides
    .map(({ negative: text, topic }, i) => ({ text, topic, class: 'negative' as const, pair: `p${i}` }))
    .reverse(),
];
const unpaired = paired.map(({ pair: _pair, ...line }) => line);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-contrast-job-'));
  service = await startTinyService({ folder });
  model = { ready: service.ready, service: service.services.model(tinyModel).model };
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (lines: readonly JobInput[]): JobRun => ({
  id: 'job',
  inputs: async function* () {
    for (const [i, input] of lines.entries()) yield { key: String(i), input };
  },
  inputsPath: '',
  inputCount: lines.length,
  pause: async () => {},
  use: (work) => work(model),
  signal: new AbortController().signal,
});

async function lineOf(lines: readonly JobInput[], more: object = {}) {
  const work = kind.open({ ...parameters, ...more }, run(lines));
  const done: Record<string, unknown>[] = [];
  for await (const item of work.items) done.push({ key: item.key, ...(await item.run()) });
  expect(done).toHaveLength(1);
  return { work, line: done[0] ?? {} };
}

const finish = (work: Awaited<ReturnType<typeof lineOf>>['work'], line: Record<string, unknown>) =>
  work.finish?.({
    lines: async function* () {
      yield line;
    },
    tensorsPath: '',
  });

describe('a contrast as a job', () => {
  it.each(['paired_pca_center', 'logistic'])(
    'says of pairs what the route says, by %s, and sums it up',
    async (method) => {
      const { work, line } = await lineOf(paired, { method });
      const { status, json } = await service.send('POST', '/api/v1/contrast', { ...parameters, method, pairs: sides });
      expect(status).toBe(200);
      expect(line).toEqual({ key: 'contrast', ...json });
      const { vector, bag_of_words } = json as { vector: Record<string, unknown>; bag_of_words: object };
      expect(await finish(work, line)).toMatchObject({
        ...{ items: { positive: 8, negative: 8, topics: 4 }, bag_of_words },
        vector: { hook_point: vector.hook_point, held_out: vector.held_out, norm: vector.norm, saved: null },
      });
    },
  );

  it('says of two classes what the route says, and saves the vector', async () => {
    const lines = unpaired.slice(0, -1);
    const { work, line } = await lineOf(lines, { save_as: { name: 'digits' } });
    const side = (of: string) => lines.filter((one) => one.class === of).map(({ class: _class, ...item }) => item);
    const body = { ...parameters, positive: side('positive'), negative: side('negative') };
    const { json } = await service.send('POST', '/api/v1/contrast', body);
    expect(line).toMatchObject({ items: { positive: 8, negative: 7 }, bag_of_words: json.bag_of_words });
    expect((line.vector as { data: string }).data).toBe((json.vector as { data: string }).data);
    expect(await finish(work, line)).toMatchObject({ vector: { saved: { name: 'digits', version: 1 } } });
  });

  it.each([
    ['a pair of one', paired.slice(1), {}, 'inputs[14]', 'alone'],
    [
      'a pair of three',
      [...paired, { text: 'x y z', class: 'negative', pair: 'p0', topic: 't0' }],
      {},
      'inputs[16]',
      'second',
    ],
    ['pairs and others', [...paired, ...unpaired.slice(0, 1)], {}, 'inputs', 'some have none'],
    ['two topics', paired.map((line, i) => (i === 0 ? { ...line, topic: 't3' } : line)), {}, 'inputs[0]', 'topics'],
    ['no pairs', unpaired, { method: 'paired_pca' }, 'parameters.method', "its 'pair'"],
    ['one class', unpaired.slice(0, 8), {}, 'negative', 'needs at least 2'],
  ] as const)('refuses %s', async (_what, lines, more, param, message) => {
    await expect(lineOf(lines, more)).rejects.toMatchObject({
      ...{ code: 'invalid_request', param, message: expect.stringContaining(message) },
    });
  });

  it('fails as a whole where its one item does', async () => {
    const { work } = await lineOf(unpaired);
    const line = { key: 'contrast', error: { code: 'invalid_request', message: 'why' } };
    await expect(finish(work, line)).rejects.toMatchObject({ code: 'invalid_request', message: 'why' });
  });

  it.each([
    [{ hook_points: ['blocks.9.hook_resid_post'] }, 16, 'parameters.hook_points[0]'],
    [{ method: 'paired_pca', positions: 'all' }, 16, 'parameters.positions'],
    [{ save_as: { name: 'a' }, features: { sources: ['none'] } }, 16, 'parameters.features.sources'],
    [{}, 8193, 'inputs'],
  ])('refuses %j of %i items before it is queued', (more, inputs, param) => {
    expect(() => kind.check({ ...parameters, ...more }, model, inputs)).toThrow(expect.objectContaining({ param }));
  });

  it('needs the class of each line, which no other kind takes', () => {
    expect(() => kind.checkInput?.({ text: 'a' }, 'inputs[3]')).toThrow(
      expect.objectContaining({ param: 'inputs[3].class' }),
    );
    expect(sweepJob.checkInput).toBeUndefined();
  });
});
