import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { catalog } from '../engine/checkpoint/acquire/catalog.ts';
import { createEngine, type EngineObserver, loadModel, type ProgressListener } from '../engine/index.ts';
import { bundledSources, openRegistry } from '../sae-registry/index.ts';
import type { Config } from './config.ts';
import { getModelFiles } from './model-files.ts';
import type { ReadyModel } from './services.ts';

export interface OpenModelOptions {
  readonly onProgress?: ProgressListener;
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly observer?: EngineObserver;
}

/** Everything from configuration to a model that answers: files, weights, graphs, dictionaries, engine. */
export async function openModel(config: Config, options: OpenModelOptions = {}): Promise<ReadyModel> {
  const { onProgress, onNotice, signal, observer } = options;
  const files = await getModelFiles(config, { onProgress, onNotice, signal });
  signal?.throwIfAborted();
  const model = await loadModel({
    path: files.path,
    cacheDirectory: config.cacheDir,
    slots: config.maxRows,
    context: config.context,
    threads: config.threads,
    onProgress,
  });
  try {
    const id = modelId(files.name, model.hash);
    const { dModel, blocks } = model.config;
    const bundled = bundledSources().filter((source) => source.startsWith(`${id}/`));
    const registry = await openRegistry({
      model: { id, dModel, blocks, hash: model.hash },
      sources: config.source.length > 0 ? config.source : bundled,
      ...collectedNorms(config, id, model.hash),
    });
    const { executor, tokenizer } = model;
    const { eosTokenIds } = model.config;
    const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: config.queueLimit, observer });
    return { id, model, engine, registry, loadedUnixSeconds: Math.floor(Date.now() / 1000) };
  } catch (error) {
    await model.executor.close();
    throw error;
  }
}

/** Where `tiller collect` leaves a model's stream norms. */
export function streamNormsPath(config: Config, modelId: string, hash: string): string {
  return join(config.cacheDir, 'statistics', `${modelId}-${hash.slice(0, 16)}`, 'stream-norms.json');
}

/** Norms collected on this machine come before the bundled ones. */
function collectedNorms(config: Config, modelId: string, hash: string): { readonly streamNorms?: string } {
  const path = streamNormsPath(config, modelId, hash);
  return existsSync(path) ? { streamNorms: path } : {};
}

/** A catalog model keeps its name wherever its file lies, in a folder too; any other is called after its file or folder. */
function modelId(name: string, hash: string): string {
  return catalog.find(({ file }) => file.sha256 === hash)?.name ?? name.toLowerCase();
}
