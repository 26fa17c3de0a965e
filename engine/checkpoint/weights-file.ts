import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProgressListener, TillerError } from '../core/index.ts';
import { type SequentialWriter, writeAtomically } from './atomic-file.ts';
import type { Checkpoint, TensorLocation } from './checkpoint.ts';
import { elementCount, type TensorInfo } from './tensor.ts';

/** A checkpoint's weights as little-endian float32 on disk, ready to be mapped. */
export interface WeightsFile {
  /** Hugging Face's names. In a cache file every offset is a multiple of 64, in a checkpoint used in place of 4. */
  readonly tensors: ReadonlyMap<string, TensorLocation>;
  /** Checkpoint.contentHash. */
  readonly hash: string;
}

/** Raised when the layout of the cache file changes, so that older ones are not read. */
const formatVersion = 1;
/** A cache line, and what aligned vector loads want. */
const alignment = 64;
/** A temporary file that nobody has written to for so long was left by a process that died. */
const abandonedMilliseconds = 60 * 60 * 1000;

interface CacheLayout {
  readonly bytes: number;
  readonly entries: readonly { readonly info: TensorInfo; readonly offset: number; readonly byteLength: number }[];
}

/**
 * The weights as float32 on disk: the checkpoint's own file where that is what it holds, else a cache file
 * `weights/<hash>.f32.v1.bin` under `cacheDirectory`, dequantised once. The cache is valid when its index (`.json`, written last) says
 * exactly what this checkpoint would be laid out as and the file has that size; anything else is rebuilt. Throws `disk_full`.
 */
export async function prepareFloat32Weights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<WeightsFile> {
  const hash = await checkpoint.contentHash({ cacheDirectory: options.cacheDirectory });
  if (checkpoint.inPlace) return { tensors: checkpoint.inPlace, hash };
  const folder = join(options.cacheDirectory, 'weights');
  const name = `${hash}.f32.v${formatVersion}`;
  const path = join(folder, `${name}.bin`);
  const indexPath = join(folder, `${name}.json`);
  const layout = planLayout(checkpoint.tensors.values());
  const index = describe(hash, layout);
  if (!(await isCurrent(path, layout.bytes, indexPath, index))) {
    await mkdir(folder, { recursive: true });
    await removeAbandoned(folder, name);
    await requireSpace(folder, layout.bytes);
    await writeAtomically(path, (file) => writeWeights(file, checkpoint, layout, options.onProgress));
    await writeAtomically(indexPath, (file) => file.write(Buffer.from(index)));
  }
  const tensors = new Map<string, TensorLocation>();
  for (const { info, offset, byteLength } of layout.entries) {
    tensors.set(info.name, { path, offset, byteLength, shape: info.shape });
  }
  return { tensors, hash };
}

function planLayout(tensors: Iterable<TensorInfo>): CacheLayout {
  let bytes = 0;
  const entries = Array.from(tensors, (info) => {
    const offset = Math.ceil(bytes / alignment) * alignment;
    const byteLength = elementCount(info.shape) * 4;
    bytes = offset + byteLength;
    return { info, offset, byteLength };
  });
  return { bytes, entries };
}

function describe(hash: string, layout: CacheLayout): string {
  const tensors = layout.entries.map(({ info, offset, byteLength }) => ({
    name: info.name,
    shape: info.shape,
    offset,
    byteLength,
  }));
  return `${JSON.stringify({ formatVersion, checkpoint: hash, bytes: layout.bytes, tensors })}\n`;
}

async function isCurrent(path: string, bytes: number, indexPath: string, index: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile() || stats.size !== bytes) return false;
  const text = await readFile(indexPath, 'utf8').catch(() => undefined);
  return text === index;
}

async function writeWeights(
  file: SequentialWriter,
  checkpoint: Checkpoint,
  layout: CacheLayout,
  onProgress: ProgressListener | undefined,
): Promise<void> {
  const report = () =>
    onProgress?.({ label: 'Dequantising weights', done: file.position, total: layout.bytes, unit: 'bytes' });
  for (const { info, offset } of layout.entries) {
    if (offset > file.position) await file.write(new Uint8Array(offset - file.position));
    for await (const { values } of checkpoint.readPieces(info.name)) {
      await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      report();
    }
  }
}

/** Refuses at once what would fail after minutes. */
async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  const megabytes = (count: number) => `${Math.ceil(count / 1e6)} MB`;
  throw new TillerError(
    'disk_full',
    `The float32 weights need ${megabytes(bytes)} in ${folder}, where ${megabytes(bavail * bsize)} are free. Free some space or choose another cache directory.`,
  );
}

/** Temporary files of these weights whose writer is gone. */
async function removeAbandoned(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.`) || !entry.endsWith('.tmp')) continue;
    const path = join(folder, entry);
    const stats = await stat(path).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > abandonedMilliseconds) await rm(path, { force: true });
  }
}
