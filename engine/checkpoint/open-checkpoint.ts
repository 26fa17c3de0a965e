import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { TillerError } from '../core/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openGguf } from './gguf-checkpoint.ts';
import { isPickledWeights, refusePickledWeights } from './pickled-weights.ts';
import { ggufFilesOf, openSafetensorsFile, openSafetensorsFolder } from './safetensors-checkpoint.ts';

/**
 * Opens a checkpoint for reading: a .gguf file, a .safetensors file with its config.json beside it, or a folder with config.json and
 * model.safetensors (or its shards), or with a single .gguf file. Headers, configuration and every tensor's place and shape are
 * checked; no weights are read. Throws `checkpoint_invalid` (the file is wrong) or `checkpoint_unsupported` (this version does not do
 * it), with the reason.
 */
export async function openCheckpoint(name: string): Promise<Checkpoint> {
  const path = resolve(name);
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) throw new TillerError('checkpoint_invalid', `There is no file or folder ${path}.`);
  if (stats.isDirectory()) return openFolder(path);
  const lower = path.toLowerCase();
  if (lower.endsWith('.gguf')) return openGguf(path);
  if (lower.endsWith('.safetensors')) return openSafetensorsFile(path);
  if (isPickledWeights(basename(path))) throw refusePickledWeights(dirname(path), basename(path));
  throw new TillerError('checkpoint_unsupported', `${path} is neither a .gguf nor a .safetensors file.`);
}

async function openFolder(path: string): Promise<Checkpoint> {
  const has = (name: string) =>
    stat(join(path, name)).then(
      () => true,
      () => false,
    );
  if ((await has('model.safetensors')) || (await has('model.safetensors.index.json')))
    return openSafetensorsFolder(path);
  const [first, ...others] = await ggufFilesOf(path);
  if (first === undefined) {
    const pickled = (await readdir(path)).sort().find(isPickledWeights);
    if (pickled !== undefined) throw refusePickledWeights(path, pickled);
    throw new TillerError(
      'checkpoint_invalid',
      `The folder ${path} holds neither model.safetensors, its index, nor a .gguf file.`,
    );
  }
  if (others.length > 0) {
    throw new TillerError(
      'checkpoint_invalid',
      `The folder ${path} holds several .gguf files (${[first, ...others].slice(0, 5).join(', ')}): name one.`,
    );
  }
  return openGguf(join(path, first));
}
