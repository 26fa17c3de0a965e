import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SteeringBlock } from '../../routes/services.ts';
import { openStore, type Store } from '../../sae-registry/index.ts';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics/create-metrics.ts';
import { openModel, streamNormsPath } from '../../src/open-model.ts';
import { AppServices, limitsOf, type ReadyModel } from '../../src/services.ts';
import { writeSparseSafetensors } from './write-safetensors.ts';

/** Of test/fixtures/tiny-llama. */
export const tinyModel = 'tiny-llama';
export const tinyWidth = 64;
const fixtures = resolve(import.meta.dirname, '../fixtures');
const fixture = join(fixtures, 'tiny-llama/gguf/tiny-llama.gguf');

/** What tests read of an answer. */
export interface TinyAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly text: string;
  readonly steering: SteeringBlock | undefined;
}

/** The service over a tiny model in process, as src/serve.ts puts it together. */
export interface TinyService {
  readonly ready: ReadyModel;
  readonly services: AppServices;
  readonly store: Store;
  send(method: string, path: string, body?: unknown): Promise<TinyAnswer>;
  /** A greedy completion of a fixed prompt. */
  complete(fields?: object): Promise<TinyAnswer>;
  metric(sample: string): Promise<number>;
  close(): Promise<void>;
}

export interface TinyServiceOptions {
  /** For caches and for the norms. */
  readonly folder: string;
  readonly store?: Store;
  readonly profile?: string;
  /** The model's stream norm at `blocks.1.hook_resid_mid`, as `tiller collect` would leave it. */
  readonly streamNorm?: number;
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Another model than the tiny one. */
  readonly model?: string;
}

export async function startTinyService(options: TinyServiceOptions): Promise<TinyService> {
  const { folder, profile, streamNorm, flags, model = fixture } = options;
  const config = loadConfig(
    { model, cacheDir: folder, warmUp: 'none', operators: 'onnxruntime', threads: '1', maxRows: '4', ...flags },
    {},
  );
  const store = options.store ?? (await openStore(null));
  const metrics = createMetrics(() => (known ? [known] : []));
  let known: ReadyModel | null = null;
  const observe = (id: string) => metrics.of(id).observer;
  if (streamNorm !== undefined) {
    const first = await openModel(config, { store });
    const path = streamNormsPath(config, first.id, first.model.hash);
    mkdirSync(resolve(path, '..'), { recursive: true });
    const norms = { 'blocks.1.hook_resid_mid': streamNorm };
    writeFileSync(path, JSON.stringify({ model: first.id, hash: first.model.hash, version: streamNorm, norms }));
    await first.close();
  }
  const ready = await openModel(config, { store, observe });
  known = ready;
  const services = new AppServices({
    version: 'test',
    limits: limitsOf(config),
    metrics: metrics.services,
    requests: (id) => metrics.of(id).requests,
    store,
    profile,
  });
  try {
    services.serve(ready);
  } catch (error) {
    await ready.close();
    throw error;
  }
  const app = createApp(services);
  const send: TinyService['send'] = async (method, path, body) => {
    const response = await app.request(path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = await response.text();
    const json = said.startsWith('{') ? (JSON.parse(said) as Record<string, unknown>) : {};
    const [choice] = (json.choices ?? []) as { text: string }[];
    const steering = json.steering as SteeringBlock | undefined;
    return { status: response.status, json, text: choice?.text ?? said, steering };
  };
  return {
    ready,
    services,
    store,
    send,
    complete: (fields = {}) =>
      send('POST', '/v1/completions', { prompt: [5, 6, 7, 8], max_tokens: 12, temperature: 0, ...fields }),
    metric: async (sample) => {
      const lines = (await send('GET', '/metrics')).text.split('\n');
      const line = lines.find((candidate) => candidate.startsWith(`${sample} `));
      return line === undefined ? 0 : Number(line.slice(sample.length + 1));
    },
    close: () => ready.close(),
  };
}

/** A direction that no edit of another seed is parallel to. */
export function tinyDirection(seed: number): Float32Array {
  return Float32Array.from({ length: tinyWidth }, (_, at) => Math.cos(seed + at * (1 + seed / 7)));
}

/** In base64, as the wire has it. */
export function base64Of(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

/** A dictionary of two features at `blocks.1.hook_resid_post`, `tiny-llama/tiny`, with statistics; returns its folder. */
export function writeTinySource(folder: string, p999: number): string {
  const path = join(folder, `tiny-source-${p999}`);
  mkdirSync(path, { recursive: true });
  const cfg = JSON.parse(readFileSync(join(fixtures, 'tiny-sae/standard-v6/cfg.json'), 'utf8'));
  writeFileSync(join(path, 'cfg.json'), JSON.stringify({ ...cfg, d_in: tinyWidth, d_sae: 2 }));
  const dense = (seed: number, count: number) =>
    new Map(Array.from({ length: count }, (_, at) => [at, Math.sin(seed + at * 1.7)] as const));
  writeSparseSafetensors(join(path, 'sae_weights.safetensors'), {
    W_enc: { dtype: 'F32', shape: [tinyWidth, 2], values: dense(1, 2 * tinyWidth) },
    W_dec: { dtype: 'F32', shape: [2, tinyWidth], values: dense(2, 2 * tinyWidth) },
    b_enc: { dtype: 'F32', shape: [2], values: dense(3, 2) },
    b_dec: { dtype: 'F32', shape: [tinyWidth] },
  });
  const card = { id: `${tinyModel}/tiny`, model: tinyModel, statistics_version: p999 };
  writeFileSync(join(path, 'source.json'), JSON.stringify(card));
  const record = (index: number) => ({ index, density: 0.5, max: p999, p999, mean: p999 / 2, histogram: [1] });
  writeFileSync(join(path, 'features.jsonl'), [0, 1].map((index) => `${JSON.stringify(record(index))}\n`).join(''));
  return path;
}
