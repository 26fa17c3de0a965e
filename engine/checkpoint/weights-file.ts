import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { prepareCacheFile } from './cache-file.ts';
import type { Checkpoint, TensorLocation } from './checkpoint.ts';
import { elementCount, takenRecipe } from './tensor.ts';

/** A checkpoint's weights as little-endian float32 on disk, ready to be mapped. */
export interface WeightsFile {
  /** Hugging Face's names. In a cache file every offset is a multiple of 64, in a checkpoint used in place of 4. */
  readonly tensors: ReadonlyMap<string, TensorLocation>;
  /** Checkpoint.contentHash. */
  readonly hash: string;
}

const formatVersion = 1;

/**
 * The weights as float32 on disk: the checkpoint's own file where that is what it holds, else a cache file
 * `weights/<hash>.f32.v1.bin` under `cacheDirectory`, dequantised once (cache-file.ts). Throws `disk_full`.
 */
export async function prepareFloat32Weights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<WeightsFile> {
  const { cacheDirectory, onProgress } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  if (checkpoint.inPlace) return { tensors: checkpoint.inPlace, hash };
  const tensors = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.f32.v${formatVersion}`,
    formatVersion,
    hash,
    recipe: takenRecipe(checkpoint.tensors.values()),
    parts: Array.from(checkpoint.tensors.values(), ({ name, shape }) => {
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
