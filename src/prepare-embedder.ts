import { setTimeout as sleep } from 'node:timers/promises';
import { asTillerError } from '../engine/core/index.ts';
import { acquireEmbedder, type FeatureSearch, openTextEmbedder, type TextEmbedder } from '../sae-registry/index.ts';
import type { Config } from './config.ts';
import { storePath } from './data-directory.ts';
import type { createLogger } from './log.ts';

/** How often the log is told how far labels are embedded. */
const reportMilliseconds = 10_000;

export interface PrepareEmbedderOptions {
  readonly config: Pick<Config, 'cacheDir' | 'childEnvironment' | 'dataDir' | 'embedder' | 'hub' | 'offline'>;
  readonly search: FeatureSearch;
  readonly log: Pick<ReturnType<typeof createLogger>, 'info' | 'warn'>;
  /** Whether requests are being computed: labels wait for them. */
  readonly busy: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Fetches and opens the label embedder in the background and has the store's labels embedded. Never fails: without it searches are
 * by words and say why. It belongs after the first model is there, whose engine opens ONNX Runtime.
 */
export async function prepareEmbedder(options: PrepareEmbedderOptions): Promise<void> {
  const { config, search, log, busy, signal } = options;
  if (config.embedder === 'none') return search.withoutEmbedder('Search by meaning is switched off (--embedder none).');
  try {
    const files = await acquireEmbedder({
      folder: config.embedder,
      cacheDirectory: config.cacheDir,
      offline: config.offline,
      hub: config.hub,
      childEnvironment: config.childEnvironment,
      onNotice: (line) => log.info(line),
      signal,
    });
    const embedder = openTextEmbedder(files, storePath(config), busy);
    await search.useEmbedder(embedder);
    await reportProgress(embedder, options);
  } catch (error) {
    if (signal.aborted) return;
    const { message } = asTillerError(error);
    search.withoutEmbedder(`The label embedder could not be had: ${message}`);
    log.warn(`labels are searched by words alone: ${message}`);
  }
}

/** Tells the log while labels are being embedded, again where new ones come, and why where it ended. */
async function reportProgress(embedder: TextEmbedder, { log, signal }: PrepareEmbedderOptions): Promise<void> {
  let told = -1;
  while (!signal.aborted) {
    await sleep(reportMilliseconds, null, { signal, ref: false }).catch(() => null);
    const state = await embedder.state().catch(() => null);
    if (state === null) return;
    const { done, total, failure } = state;
    if (failure !== null) return log.warn(`labels are no longer embedded: ${failure}`);
    if (done !== told) log.info({ done, total }, done >= total ? 'labels are embedded' : 'embedding labels');
    told = done;
  }
}
