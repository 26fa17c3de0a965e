import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { hookPointShapes } from '../../engine/index.ts';
import type { ModelFacts } from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { getModelFiles } from '../model-files.ts';
import { modelId, type OpenModelOptions } from '../open-model.ts';

/** What a dictionary is held against: the configured model's name and shapes, from its headers. Its files are fetched where they are not there. */
export async function readModelFacts(config: Config, options: OpenModelOptions): Promise<ModelFacts> {
  const { onProgress, onNotice, signal } = options;
  const files = await getModelFiles(config, { onProgress, onNotice, signal });
  const checkpoint = await openCheckpoint(files.path);
  try {
    const hash = await checkpoint.contentHash({ cacheDirectory: config.cacheDir });
    const { dModel, blocks } = checkpoint.config;
    return { id: modelId(files.name, hash), dModel, blocks, hash, hookPoints: hookPointShapes(checkpoint.config) };
  } finally {
    await checkpoint.close();
  }
}
