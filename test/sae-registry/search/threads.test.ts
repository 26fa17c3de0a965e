import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toUnit } from '../../../sae-registry/embedder/embedding.ts';
import type { TextEmbedder } from '../../../sae-registry/embedder/text-embedder.ts';
import { FeatureSearch } from '../../../sae-registry/search/feature-search.ts';
import { noFilters, type SearchQuery } from '../../../sae-registry/search/query.ts';
import { type Port, Thread } from '../../../sae-registry/threads/thread.ts';
import { buildModules } from '../../harness/build-modules.ts';
import { eightBits } from './clustered-vectors.ts';
import { type SearchStore, searchStore } from './search-store.ts';

let its: SearchStore;

beforeEach(async () => {
  its = await searchStore();
});

afterEach(() => its.remove());

const query = (text: string, rest: Partial<SearchQuery> = {}): SearchQuery => ({
  ...{ text, filters: noFilters, mode: null, limit: 10, cursor: null },
  ...rest,
});
const direction = (at: number) => toUnit(Float32Array.from({ length: 384 }, (_, i) => (i === at ? 1 : 0.01)));
const embedder: TextEmbedder = {
  hash: async () => 'test',
  embed: async (text) => direction(text.length),
  state: async () => ({ done: 0, total: 0, failure: null }),
  close: async () => undefined,
};

describe('the search of a service', () => {
  it('is by words and says why, until an embedder and the embeddings are there', async () => {
    const search = new FeatureSearch(its.path);
    const ids = its.label(its.source('toy/a'), ['cats', 'dogs']);
    const first = await search.search(query('cats'));
    expect(first).toMatchObject({ mode: 'lexical', reason: expect.stringContaining('being prepared') });
    await expect(search.search(query('cats', { mode: 'semantic' }))).rejects.toMatchObject({ code: 'not_ready' });
    await expect(search.rerank('cats', ['toy/a/0'])).rejects.toMatchObject({ code: 'not_ready', param: 'query' });
    await search.useEmbedder(embedder);
    expect(await search.search(query('cats'))).toMatchObject({
      mode: 'lexical',
      reason: expect.stringContaining('0 of 2'),
    });
    expect(await search.search(query('cats', { mode: 'lexical' }))).toMatchObject({ mode: 'lexical', reason: null });
    its.embed(new Map(eightBits([direction(4), direction(9)]).map((values, at) => [ids[at] as number, values])));
    expect(await search.search(query('xxxx'))).toMatchObject({
      mode: 'hybrid',
      reason: null,
      hits: [{ index: 0 }, {}],
    });
    expect((await search.rerank('123456789', ['a/0', 'a/1'])).map(({ index }) => index)).toEqual([1, 0]);
    expect((await search.lookup(['a/1']))[0]).toMatchObject({ label: { text: 'dogs' } });
    await search.close();
    await expect(search.search(query('cats'))).rejects.toMatchObject({ code: 'draining' });
  });

  it('compares labels with each other without an embedder, where they are embedded', async () => {
    const search = new FeatureSearch(its.path);
    const ids = its.label(its.source('toy/a'), ['cats', 'dogs', 'tax law']);
    await expect(search.labelNeighbours('toy/a/0', ['toy/a'], 5)).rejects.toMatchObject({
      code: 'not_ready',
      param: 'by',
    });
    const vectors = eightBits([
      direction(4),
      toUnit(direction(4).map((x, i) => x + (i === 7 ? 0.3 : 0))),
      direction(9),
    ]);
    its.embed(new Map(vectors.map((values, at) => [ids[at] as number, values])));
    const found = await search.labelNeighbours('toy/a/0', ['toy/a'], 5);
    expect(found.neighbours.map(({ index, label }) => [index, label?.text])).toEqual([
      [1, 'dogs'],
      [2, 'tax law'],
    ]);
    await search.close();
  });

  it('says why there will be no embedder', async () => {
    const search = new FeatureSearch(its.path);
    its.label(its.source('toy/a'), ['cats']);
    search.withoutEmbedder('No embedder today.');
    expect((await search.search(query('cats'))).reason).toBe('No embedder today.');
    await expect(search.search(query('cats', { mode: 'semantic' }))).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('No embedder today.'),
    });
    await search.close();
  });

  it('runs on a thread of its own, which gives typed errors back', () => {
    const built = buildModules('sae-registry/search/feature-search.ts', 'sae-registry/search/search-worker.ts');
    its.label(its.source('toy/a'), ['cats']);
    const script = `
      import { FeatureSearch } from './sae-registry/search/feature-search.js';
      import { TillerError } from './engine/core/index.js';
      const search = new FeatureSearch(process.argv[2]);
      const query = { text: 'cat', filters: ${JSON.stringify(noFilters)}, mode: null, limit: 3, cursor: null };
      const { hits } = await search.search(query);
      const error = await search.search({ ...query, filters: { ...query.filters, model: 'tox' } }).catch((thrown) => thrown);
      console.log(JSON.stringify([hits[0].id, error instanceof TillerError, error.code, error.suggestions]));
      // Nothing is closed: a thread that does nothing keeps no process alive.
    `;
    try {
      writeFileSync(join(built, 'ask.mjs'), script);
      const printed = execFileSync(process.execPath, [join(built, 'ask.mjs'), its.path], { encoding: 'utf8' });
      expect(JSON.parse(printed)).toEqual(['toy/a/0', true, 'model_not_found', ['toy']]);
    } finally {
      rmSync(built, { recursive: true });
    }
  });
});

describe('a thread', () => {
  /** A port whose thread says and does only what the test tells it to. */
  function fakePort() {
    const listeners = new Map<string, (value: unknown) => void>();
    const sent: { id: number }[] = [];
    const port: Port = {
      postMessage: (message) => sent.push(message as { id: number }),
      on: (event: string, listener: (value: unknown) => void) => listeners.set(event, listener),
      ref: () => undefined,
      unref: () => undefined,
      terminate: async () => undefined,
    };
    return { port, sent, say: (event: string, value: unknown) => listeners.get(event)?.(value) };
  }

  it('that dies fails what it was at, and the next call gets a new one', async () => {
    const ports = [fakePort(), fakePort()];
    let opened = 0;
    const thread = new Thread(() => (ports[opened++] as ReturnType<typeof fakePort>).port);
    const lost = thread.call('a', null);
    ports[0]?.say('error', new Error('out of memory'));
    await expect(lost).rejects.toMatchObject({ code: 'internal' });
    const next = thread.call('b', null);
    ports[1]?.say('message', { id: ports[1].sent[0]?.id, value: 7 });
    expect(await next).toBe(7);
    expect(opened).toBe(2);
  });

  it('refuses more calls than may wait', async () => {
    const { port } = fakePort();
    const thread = new Thread(() => port, 2);
    const waiting = [thread.call('a', null), thread.call('a', null)].map((call) => call.catch((error) => error.code));
    await expect(thread.call('a', null)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 1 });
    await thread.close();
    expect(await Promise.all(waiting)).toEqual(['draining', 'draining']);
  });
});
