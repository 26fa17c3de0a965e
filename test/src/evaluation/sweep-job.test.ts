import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobModel, JobRun } from '../../../src/jobs/job-kind.ts';
import { jobKinds } from '../../../src/jobs/kinds/index.ts';
import { base64Of, startTinyService, type TinyService, tinyDirection, tinyModel } from '../../harness/tiny-service.ts';

let folder: string;
let service: TinyService;
let model: JobModel;
const kind = () => {
  const found = jobKinds.find(({ name }) => name === 'sweep');
  if (!found) throw new Error('no such kind');
  return found;
};
const parameters = {
  vectors: ['push'],
  unit: 'raw',
  strengths: [1, 30],
  seeds: [1, 2],
  max_tokens: 4,
  targets: [{ words: ['a'] }],
};
const texts = ['one text', 'another text', 'a third'];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-sweep-job-'));
  service = await startTinyService({ folder });
  model = { ready: service.ready, service: service.services.model(tinyModel).model };
  const directions = [{ hook_point: 'blocks.1.hook_resid_post', data: base64Of(tinyDirection(3)) }];
  await service.send('POST', '/api/v1/vectors', { name: 'push', directions });
});

afterAll(async () => {
  await service.close();
  service.store.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (): JobRun => ({
  id: 'job',
  inputs: async function* () {
    for (const [i, text] of texts.entries()) yield { key: String(i), input: { text } };
  },
  inputsPath: '',
  inputCount: texts.length,
  pause: async () => {},
  use: (work) => work(model),
  signal: new AbortController().signal,
});

describe('a sweep as a job', () => {
  it('does a prompt at a time, with the rows that the route gives, and sums up each dose', async () => {
    const work = kind().open(parameters, run());
    expect(work.total).toBe(3);
    const lines: Record<string, unknown>[] = [];
    for await (const { key, run: runItem } of work.items) lines.push({ key, ...(await runItem()) });
    const { json } = await service.send('POST', '/api/v1/sweeps', {
      ...parameters,
      prompts: texts.map((text) => ({ text })),
    });
    const plain = ({ text, name, strength, seed }: Record<string, unknown>) => ({ text, name, strength, seed });
    const rows = (json.rows as Record<string, unknown>[]).filter(({ prompt }) => prompt === 1);
    const there = (lines[1]?.rows ?? []) as Record<string, unknown>[];
    expect(there.map(plain)).toEqual(rows.map(plain));
    const summary = await work.finish?.({
      lines: async function* () {
        yield* lines;
      },
      tensorsPath: '',
    });
    expect(summary).toMatchObject({
      texts: 18,
      steerings: [
        { name: 'push', texts: 12, doses: [{ strength: 1, changes: [{ target: 'words' }] }, { strength: 30 }] },
      ],
    });
  });

  it.each([
    ['an unknown vector', { vectors: ['pus'] }, 'vector_not_found'],
    ['nothing to sweep', { vectors: [] }, 'invalid_request'],
    ['greedy seeds', { temperature: 0 }, 'invalid_request'],
  ])('is refused with %s before it is queued', (_what, more, code) => {
    expect(() => kind().check({ ...parameters, ...more }, model, 3)).toThrow(expect.objectContaining({ code }));
  });
});
