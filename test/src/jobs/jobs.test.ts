import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TillerError } from '../../../engine/core/index.ts';
import {
  addBackgroundJob,
  cancelBackgroundJob,
  claimBackgroundJob,
  openStore,
  readBackgroundJob,
  type Store,
} from '../../../sae-registry/index.ts';
import { JobFolder } from '../../../src/jobs/job-folder.ts';
import { itemOfEachInput, type JobModel, jobKind } from '../../../src/jobs/job-kind.ts';
import { JobRunner } from '../../../src/jobs/job-runner.ts';
import { createJobService } from '../../../src/jobs/job-services.ts';
import { mayRun, type Traffic } from '../../../src/jobs/yield-policy.ts';

const model = { ready: { id: 'toy' } } as unknown as JobModel;
const running: JobRunner[] = [];
afterEach(async () => {
  for (const runner of running.splice(0)) await runner.stop();
});

interface Options {
  /** Called with each text before it is done. */
  readonly onItem?: (text: string, signal: AbortSignal) => Promise<void> | void;
  readonly traffic?: () => Traffic;
}

async function setUp({ onItem, traffic = () => ({ running: 0, waiting: 0, rows: 4 }) }: Options = {}) {
  const store = await openStore(null);
  const dataDir = mkdtempSync(join(tmpdir(), 'tiller-jobs-'));
  const lengths = jobKind({
    name: 'lengths',
    summary: 'How long each text is.',
    parameters: z.strictObject({ times: z.int().default(1) }),
    check({ times }) {
      if (times > 9) throw new TillerError('invalid_request', 'too many', { param: 'parameters.times' });
    },
    open: ({ times }, run) => ({
      ...itemOfEachInput(run, async (_, input) => {
        const text = 'text' in input ? input.text : '';
        await onItem?.(text, run.signal);
        return { length: text.length * times };
      }),
      async finish({ lines }) {
        let sum = 0;
        for await (const { length } of lines()) sum += typeof length === 'number' ? length : 0;
        return { sum };
      },
    }),
  });
  const lease = async () => ({ model, release: () => {} });
  const create = () => {
    const kinds = [lengths];
    const runner = new JobRunner({ store, folder: join(dataDir, 'jobs'), kinds, traffic, lease, pollMilliseconds: 20 });
    running.push(runner);
    return { runner, jobs: createJobService({ store, dataDir, kinds, runner, lease }) };
  };
  return { store, dataDir, create };
}

const texts = (...all: string[]) => all.map((text) => ({ text }));
const signal = new AbortController().signal;
const request = { kind: 'lengths', model: null, parameters: {}, inputs: texts('a', 'bc', 'def'), file: null };

async function until(store: Store, id: string, ...states: string[]) {
  for (let turn = 0; turn < 500; turn++) {
    const job = readBackgroundJob(store, id);
    if (states.includes(job.state)) return job;
    await sleep(10);
  }
  throw new Error(`it is still ${readBackgroundJob(store, id).state}`);
}

async function read(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

describe('jobs give way', () => {
  it.each([
    [{ running: 0, waiting: 0, rows: 8 }, true],
    [{ running: 4, waiting: 0, rows: 8 }, true],
    [{ running: 5, waiting: 0, rows: 8 }, false],
    [{ running: 0, waiting: 1, rows: 8 }, false],
    [{ running: 1, waiting: 0, rows: 1 }, false],
    [{ running: 0, waiting: 0, rows: 1 }, true],
  ])('to %o: %s', (traffic, runs) => {
    expect(mayRun(traffic)).toBe(runs);
  });

  it('to interactive traffic, as long as there is any', async () => {
    let waiting = 3;
    const { store, create } = await setUp({ traffic: () => ({ running: 0, waiting, rows: 4 }) });
    const { runner, jobs } = create();
    runner.start();
    const { id } = await jobs.submit(request, signal);
    await sleep(150);
    expect(readBackgroundJob(store, id)).toMatchObject({ state: 'running', done: 0 });
    waiting = 0;
    expect(await until(store, id, 'done')).toMatchObject({ done: 3 });
  });
});

describe('a job that is waited for', () => {
  it('is done alone, whatever else waits', async () => {
    const { store, create } = await setUp();
    const { runner, jobs } = create();
    const before = await jobs.submit(request, signal);
    const { id } = await jobs.submit(request, signal);
    expect(await runner.finish(id, signal)).toMatchObject({ id, state: 'done', done: 3, summary: { sum: 6 } });
    expect(readBackgroundJob(store, before.id)).toMatchObject({ state: 'queued', done: 0 });
  });

  it('goes back to the queue when whoever waits is interrupted', async () => {
    const stop = new AbortController();
    const { store, create } = await setUp({
      onItem: (text) => {
        if (text === 'bc') stop.abort();
      },
    });
    const { runner, jobs } = create();
    const { id } = await jobs.submit(request, signal);
    expect(await runner.finish(id, stop.signal)).toMatchObject({ state: 'queued', done: 2 });
    // and goes on from there
    expect(await create().runner.finish(id, signal)).toMatchObject({ state: 'done', done: 3 });
    expect(readBackgroundJob(store, id).summary).toEqual({ sum: 6 });
  });

  it('is left to the service that has it', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { store, create } = await setUp({ onItem: () => held });
    const service = create();
    service.runner.start();
    const { id } = await service.jobs.submit(request, signal);
    await until(store, id, 'running');
    const stop = new AbortController();
    const { runner } = create();
    const waiting = runner.finish(id, stop.signal);
    release();
    expect(await waiting).toMatchObject({ state: 'done', done: 3 });
  });
});

describe('a job', () => {
  it('does each item once, in order, and says what it came to', async () => {
    const { store, create } = await setUp();
    const { runner, jobs } = create();
    runner.start();
    const { id, state, total } = await jobs.submit({ ...request, parameters: { times: 2 } }, signal);
    expect([state, total]).toEqual(['queued', 3]);
    expect(await until(store, id, 'done')).toMatchObject({ done: 3, summary: { sum: 12 }, error: null });
    const { contentType, bytes, stream } = await jobs.results(id, 'jsonl');
    const lines = await read(stream());
    expect(contentType).toBe('application/x-ndjson');
    expect(bytes).toBe(lines.length);
    expect(
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { key: '0', length: 2 },
      { key: '1', length: 4 },
      { key: '2', length: 6 },
    ]);
    await expect(jobs.results(id, 'safetensors')).rejects.toThrow(/make no tensors/);
    jobs.remove(id);
    expect(() => jobs.get(id)).toThrow(expect.objectContaining({ code: 'job_not_found' }));
  });

  it('goes on where it was cut off in the middle of a line, doing nothing twice', async () => {
    const seen: string[] = [];
    const { store, dataDir, create } = await setUp({ onItem: (text) => void seen.push(text) });
    const { runner, jobs } = create();
    const { id } = await jobs.submit(request, signal);
    // as a process leaves it that was killed while it wrote the second line
    claimBackgroundJob(store, 'a service that has ended');
    const { results } = new JobFolder(join(dataDir, 'jobs'), id);
    appendFileSync(results, '{"key":"0","length":1}\n{"key":"1","len');
    runner.start();
    expect(await until(store, id, 'done')).toMatchObject({ done: 3, summary: { sum: 6 } });
    expect(seen).toEqual(['bc', 'def']);
    expect(readFileSync(results, 'utf8').trim().split('\n')).toHaveLength(3);
  });

  it('is given back when the service stops, and ends when it is cancelled', async () => {
    let begun: () => void = () => {};
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const { store, create } = await setUp({
      onItem: async (text, stop) => {
        if (text !== 'bc') return;
        begun();
        await sleep(60_000, undefined, { signal: stop });
      },
    });
    const one = create();
    one.runner.start();
    const { id } = await one.jobs.submit(request, signal);
    await first;
    await one.runner.stop();
    expect(readBackgroundJob(store, id)).toMatchObject({ state: 'queued', done: 1 });
    const two = create();
    two.runner.start();
    await until(store, id, 'running');
    two.jobs.cancel(id);
    expect(await until(store, id, 'cancelled')).toMatchObject({ done: 1 });
    expect(await read((await two.jobs.results(id, 'jsonl')).stream())).toBe('{"key":"0","length":1}\n');
  });

  it('is cancelled from another process too, and at once where nobody runs it', async () => {
    const { store, create } = await setUp({ onItem: (_text, stop) => sleep(60_000, undefined, { signal: stop }) });
    const { runner, jobs } = create();
    const { id } = await jobs.submit(request, signal);
    expect(cancelBackgroundJob(store, id).state).toBe('cancelled');
    runner.start();
    const second = await jobs.submit(request, signal);
    await until(store, second.id, 'running');
    expect(cancelBackgroundJob(store, second.id).state).toBe('running');
    await until(store, second.id, 'cancelled');
  });

  it('has a line for what is wrong with one item, and fails where it is not the item’s fault', async () => {
    const { store, create } = await setUp({
      onItem: (text) => {
        if (text === 'bc') throw new TillerError('context_length_exceeded', 'too long');
        if (text === 'broken') throw new TillerError('step_failed', 'no luck');
      },
    });
    const { runner, jobs } = create();
    runner.start();
    const { id } = await jobs.submit(request, signal);
    expect(await until(store, id, 'done')).toMatchObject({ done: 3, summary: { sum: 4 } });
    expect(await read((await jobs.results(id, 'jsonl')).stream())).toContain('"code":"context_length_exceeded"');
    const failing = await jobs.submit({ ...request, inputs: texts('a', 'broken') }, signal);
    const failed = await until(store, failing.id, 'failed');
    expect(failed).toMatchObject({ done: 1, error: { code: 'step_failed', message: 'no luck' } });
  });
});

describe('a job is refused before it is queued', () => {
  it.each([
    ['an unknown kind', { kind: 'length' }, 'kind'],
    ['an unknown parameter', { parameters: { time: 1 } }, 'parameters.time'],
    ['a parameter of another type', { parameters: { times: 'x' } }, 'parameters.times'],
    ['what its kind refuses', { parameters: { times: 10 } }, 'parameters.times'],
    ['no data set', { inputs: null }, 'inputs'],
    ['two data sets', { file: 'a.jsonl' }, 'inputs'],
    ['a path', { inputs: null, file: '../secret' }, 'file'],
    ['a file that is not there', { inputs: null, file: 'none.jsonl' }, 'file'],
  ])('for %s', async (_what, more, param) => {
    const { store, create } = await setUp();
    await expect(create().jobs.submit({ ...request, ...more }, signal)).rejects.toMatchObject({ param });
    expect(claimBackgroundJob(store, 'me')).toBeNull();
  });

  it('for a line that is none, named by its number', async () => {
    const { dataDir, create } = await setUp();
    mkdirSync(join(dataDir, 'datasets'));
    writeFileSync(join(dataDir, 'datasets', 'a.jsonl'), '{"text":"a"}\n{"txt":"b"}\n');
    const submit = create().jobs.submit({ ...request, inputs: null, file: 'a.jsonl' }, signal);
    await expect(submit).rejects.toMatchObject({ code: 'invalid_request', param: 'inputs[1]' });
  });
});

describe('of several services', () => {
  it('one gets a job, oldest first', async () => {
    const { store } = await setUp();
    const add = (id: string) => addBackgroundJob(store, { id, kind: 'k', model: 'm', parameters: {}, total: 1 });
    add('a');
    add('b');
    expect([claimBackgroundJob(store, 'me')?.id, claimBackgroundJob(store, 'me')?.id]).toEqual(['a', 'b']);
    expect(claimBackgroundJob(store, 'me')).toBeNull();
  });
});
