import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addBackgroundJob, addVector, claimBackgroundJob, openStore } from '../../../sae-registry/index.ts';
import { tinyDirection, tinyModel } from '../../harness/tiny-service.ts';
import { cli } from '../cli-harness.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-jobs-cli-'));
  const store = await openStore(join(folder, 'tiller.db'));
  const job = { kind: 'activations', model: 'toy', parameters: { limit: 3 }, total: 5 };
  addBackgroundJob(store, { ...job, id: 'first' });
  claimBackgroundJob(store, 'a service');
  addBackgroundJob(store, { ...job, id: 'second' });
  store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobs = (...words: string[]) =>
  cli(['jobs', ...words, '--data-dir', folder], { environment: { HOME: '/nowhere' } });

it('tiller jobs lists, shows and cancels', async () => {
  const listed = await jobs('list');
  expect(listed.code).toBe(0);
  expect(listed.stdout).toMatch(/first +activations +toy +running +0 of 5/);
  expect(JSON.parse((await jobs('list', '--json')).stdout)).toMatchObject([{ state: 'queued' }, { state: 'running' }]);
  expect(JSON.parse((await jobs('show', 'second')).stdout)).toMatchObject({
    ...{ id: 'second', parameters: { limit: 3 }, state: 'queued', cancelling: false, started: null },
  });
  expect(await jobs('cancel', 'second')).toMatchObject({ code: 0, stderr: 'It is cancelled.\n' });
  // this very process, in which it was claimed, is there
  expect(await jobs('cancel', 'first')).toMatchObject({ code: 0, stderr: 'It is being cancelled.\n' });
  expect(JSON.parse((await jobs('show', 'first')).stdout)).toMatchObject({ state: 'running', cancelling: true });
  const missing = await jobs('show', 'third');
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain("There is no job 'third'");
});

describe('tiller jobs submit', () => {
  const tiny = join(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
  const place = () => ['--model', tiny, '--cache-dir', folder, '--threads', '1'];
  // nothing is compiled for this
  const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
  const submit = (kind: string, body: unknown, ...words: string[]) => {
    writeFileSync(join(folder, 'request.json'), typeof body === 'string' ? body : JSON.stringify(body));
    const request = ['--request', join(folder, 'request.json')];
    return cli(['jobs', 'submit', kind, ...request, ...words, ...place(), '--data-dir', folder], { environment });
  };
  const inputs = [{ text: 'one text' }, { text: 'another' }];
  const sweep = { parameters: { vectors: ['push'], unit: 'raw', strengths: [1], max_tokens: 3 }, inputs };

  beforeAll(async () => {
    const store = await openStore(join(folder, 'tiller.db'));
    const directions = [{ hookPoint: 'blocks.1.hook_resid_post', values: tinyDirection(3) }];
    const about = { name: 'push', description: '', method: 'uploaded', origin: 'test' } as const;
    addVector(store, { ...about, model: tinyModel, directions });
    store.close();
  });

  it('queues one for a service, and with --wait does its own alone', async () => {
    const queued = await submit('sweep', sweep);
    expect(queued).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`It is queued: a service over ${folder}`),
    });
    const id = queued.stdout.trim();
    const done = await submit('sweep', { kind: 'sweep', ...sweep }, '--wait', '--json');
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('It is done') });
    const job = JSON.parse(done.stdout) as { readonly results: string };
    expect(job).toMatchObject({ model: tinyModel, state: 'done', done: 2, total: 2, summary: { texts: 4 } });
    expect(readFileSync(job.results, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(JSON.parse((await jobs('show', id)).stdout)).toMatchObject({ state: 'queued', done: 0 });
  });

  it('refuses a source that is not there', async () => {
    const failed = await submit('statistics', { parameters: { source: 'tiny' }, inputs }, '--wait');
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('tiny') });
  });

  it('says that a job failed', async () => {
    const lines = ['a b c', 'd e f', 'g h i'].map((text) => ({ text, class: 'positive' }));
    const failed = await submit('contrast', { parameters: {}, inputs: lines }, '--wait', '--json');
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('The job failed: The negative class has 0'),
    });
    expect(JSON.parse(failed.stdout)).toMatchObject({ state: 'failed', error: { code: 'invalid_request' } });
  });

  it.each([
    ['contrast', { inputs }, 1, "'inputs[0]' has no 'class'"],
    ['sweep', { ...sweep, inputs: [...inputs, { text: 'a b', topic: 'x' }] }, 1, "'inputs[2]' has 'topic'"],
    ['sweep', '{', 2, 'is not JSON'],
    ['sweep', [], 2, 'holds no request'],
    ['sweep', { kind: 'evaluate', inputs }, 2, "kind 'evaluate', not 'sweep'"],
    ['sweep', { model: 'x', inputs }, 2, 'say it with --model'],
    ['sweeps', { inputs }, 1, 'There are: activations'],
    ['sweep', { parameters: {}, inputs }, 1, "'parameters.strengths'"],
    ['sweep', { ...sweep, input: inputs }, 1, 'input'],
    ['sweep', { parameters: sweep.parameters }, 1, "exactly one of 'inputs' and 'file'"],
  ])('refuses as a service would: %s %j', async (kind, body, code, message) => {
    expect(await submit(kind, body)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('needs a request', async () => {
    expect(await jobs('submit', 'sweep')).toMatchObject({ code: 2, stderr: expect.stringContaining('--request') });
  });
});
