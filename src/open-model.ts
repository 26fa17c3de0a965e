import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
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
    const id = modelId(files, model.hash);
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

/** A catalog model keeps its name wherever its file lies; any other is called after its file or folder. */
function modelId(
  files: { readonly name: string; readonly path: string; readonly source: string },
  hash: string,
): string {
  if (files.source !== 'local') return files.name;
  const known = catalog.find(({ file }) => file.sha256 === hash);
  return (
    known?.name ??
    basename(files.path)
      .replace(/\.(gguf|safetensors)$/i, '')
      .toLowerCase()
  );
}
