import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompletionLogprobs } from '../../routes/openai/schemas/completions.ts';
import type { SteeringBlock } from '../../routes/services.ts';
import {
  acquireEmbedder,
  bundledFolder,
  FeatureSearch,
  openStore,
  openTextEmbedder,
} from '../../sae-registry/index.ts';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics/create-metrics.ts';
import { openModel } from '../../src/open-model.ts';
import { listen, type RunningServer } from '../../src/server.ts';
import { AppServices, limitsOf, type ReadyModel } from '../../src/services.ts';
import { testCache } from './default-model.ts';

/** The service over the default model, put together as src/serve.ts does, on a free port of this machine. */
export interface RealService {
  readonly url: string;
  readonly ready: ReadyModel;
  /** What the log would have been told. */
  readonly unexpected: unknown[];
  /** POSTs JSON; a string goes as it is. */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Response>;
  /** POSTs JSON and reads the JSON of an answer that must be 200. */
  ask<T = Answer>(path: string, body: unknown): Promise<T>;
  get(path: string): Promise<Response>;
  /** The sample of /metrics with this name and these labels, 0 where there is none. */
  metric(sample: string): Promise<number>;
  /** From now on labels are embedded, and then searched by meaning too. */
  useEmbedder(): Promise<void>;
  close(): Promise<void>;
}

/** What tests read of an answer, of either endpoint. */
export interface Answer {
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly message: { readonly content: string };
    readonly finish_reason: string;
    readonly stop_reason: string | number | null;
    readonly logprobs: CompletionLogprobs | null;
  }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly seed: number;
  readonly steering?: SteeringBlock;
  readonly warnings?: readonly unknown[];
}

/** Starts it with the bundled source, and beside it `bare`: the same dictionary without statistics, labels or card. The store
 * is a new file where no path is given. */
export async function startRealService(
  flags: Readonly<Record<string, string | readonly string[]>> = {},
  storePath: string | null = null,
): Promise<RealService> {
  const source = 'smollm2-135m-instruct/17-res-4k';
  const config = loadConfig({ cacheDir: testCache, source: [source, bareSource(source)], ...flags }, {});
  let ready: ReadyModel | null = null;
  const metrics = createMetrics(() => (ready ? [ready] : []));
  const unexpected: unknown[] = [];
  const path = storePath ?? join(mkdtempSync(join(tmpdir(), 'tiller-data-')), 'tiller.db');
  const store = await openStore(path);
  const search = new FeatureSearch(path);
  const services = new AppServices({
    version: 'test',
    store,
    search,
    limits: limitsOf(config),
    metrics: metrics.services,
    requests: (id) => metrics.of(id).requests,
    unexpected: (error) => unexpected.push(error),
  });
  const opened = await openModel(config, { observe: (id) => metrics.of(id).observer, store });
  ready = opened;
  services.serve(opened);
  const server = await listen({ app: createApp(services), host: '127.0.0.1', port: 0 });
  const useEmbedder = async () =>
    search.useEmbedder(openTextEmbedder(await acquireEmbedder({ cacheDirectory: testCache }), path, () => false));
  const closeAll = async () => {
    await server.close(0);
    await opened.close();
    await search.close();
    store.close();
  };
  return { ...client(server), ready: opened, unexpected, useEmbedder, close: closeAll };
}

function client({ url }: RunningServer) {
  const post: RealService['post'] = (path, body, signal) =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal ? { signal } : {}),
    });
  const get = (path: string) => fetch(url + path);
  return {
    url,
    post,
    get,
    ask: async <T = Answer>(path: string, body: unknown): Promise<T> => {
      const response = await post(path, body);
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
      return JSON.parse(text) as T;
    },
    metric: async (sample: string) => {
      const lines = (await (await get('/metrics')).text()).split('\n');
      const line = lines.find((candidate) => candidate.startsWith(`${sample} `));
      return line === undefined ? 0 : Number(line.slice(sample.length + 1));
    },
  };
}

function bareSource(source: string): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'tiller-source-')), 'bare');
  mkdirSync(folder);
  for (const file of ['cfg.json', 'sae_weights.safetensors']) {
    copyFileSync(join(bundledFolder(), source, file), join(folder, file));
  }
  return folder;
}

/** Waits until the condition holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
