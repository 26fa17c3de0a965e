import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { prepareCacheFile } from './cache-file.ts';
import type { Checkpoint, TensorLocation } from './checkpoint.ts';
import { elementCount, takenRecipe } from './tensor.ts';

/** Weights of a checkpoint, all or some, as little-endian float32 on disk, ready to be mapped. */
export interface WeightsFile {
  /** Hugging Face's names. In a cache file every offset is a multiple of 64, in a checkpoint used in place of 4. */
  readonly tensors: ReadonlyMap<string, TensorLocation>;
  /** Checkpoint.contentHash. */
  readonly hash: string;
}

const formatVersion = 1;

export interface Float32Options {
  readonly cacheDirectory: string;
  readonly onProgress?: ProgressListener;
  /** Weights that nobody will read as float32 (`unreadWeights`): a billion of them are 4 GB of disk. Default: none. */
  readonly without?: ReadonlySet<string>;
}

/**
 * The weights as float32 on disk: the checkpoint's own file where that is what it holds, else a cache file under `cacheDirectory`,
 * dequantised once (cache-file.ts): `weights/<hash>.f32.v1.bin` of all weights, `weights/<hash>.f32-<of which>.v1.bin` of some.
 * Throws `disk_full`.
 */
export async function prepareFloat32Weights(checkpoint: Checkpoint, options: Float32Options): Promise<WeightsFile> {
  const { cacheDirectory, onProgress, without = new Set() } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  if (checkpoint.inPlace) return { tensors: checkpoint.inPlace, hash };
  const wanted = [...checkpoint.tensors.values()].filter(({ name }) => !without.has(name));
  const subset = wanted.length === checkpoint.tensors.size ? '' : `-${namesKey(wanted.map(({ name }) => name))}`;
  const tensors = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.f32${subset}.v${formatVersion}`,
    formatVersion,
    hash,
    recipe: takenRecipe(wanted),
    parts: wanted.map(({ name, shape }) => {
      return { name, shape, byteLength: elementCount(shape) * 4 };
    }),
    label: 'Dequantising weights',
    onProgress,
    write: async ({ name }, file, report) => {
      for await (const { values } of checkpoint.readPieces(name)) {
        await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        report();
      }
    },
  });
  return { tensors, hash };
}

/** Tells files of different tensors of one checkpoint apart: a model that is served in two precisions has two. */
function namesKey(names: readonly string[]): string {
  return createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 12);
}
