import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { type LoadedModel, loadModel } from '../../engine/load-model.ts';

const root = resolve(import.meta.dirname, '..', '..');
/** Kept between test runs, out of git. */
export const testCache = join(root, '.cache');

/** The default model, pulled on first use. */
export async function loadDefaultModel(options: { slots?: number; context?: number } = {}): Promise<LoadedModel> {
  const { path } = await acquireModel('smollm2-135m-instruct', { cacheDirectory: testCache });
  return loadModel({
    path,
    cacheDirectory: testCache,
    slots: options.slots ?? 16,
    context: options.context ?? null,
    threads: availableParallelism(),
  });
}
