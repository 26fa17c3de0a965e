import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProgressListener, TillerError } from '../core/index.ts';
import { type SequentialWriter, writeAtomically } from './atomic-file.ts';
import type { TensorLocation } from './checkpoint.ts';

/** A cache line, and what aligned vector loads want. */
const alignment = 64;
/** A temporary file that nobody has written to for so long was left by a process that died. */
const abandonedMilliseconds = 60 * 60 * 1000;

/** One array of a cache file. */
export interface CachePart {
  readonly name: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

export interface CacheFile<Part extends CachePart> {
  /** Folder, and name of the file without `.bin`. */
  readonly folder: string;
  readonly name: string;
  /** Raised when the layout changes, so that older files are not read. */
  readonly formatVersion: number;
  /** Hash of what the file is made from. */
  readonly hash: string;
  /** What else decides its contents: a file made by another recipe is not read. */
  readonly recipe?: string | null;
  readonly parts: readonly Part[];
  /** What a progress display calls the work. */
  readonly label: string;
  /** Writes exactly the part's bytes, calling `report` now and then. */
  write(part: Part, file: SequentialWriter, report: () => void): Promise<void>;
  readonly onProgress?: ProgressListener;
}

/**
 * Arrays derived from a checkpoint, in one file that is made once and then mapped: `name.bin`, and `name.json` with its layout,
 * written last. It is valid when the layout is exactly the wanted one and the file has that size; anything else is made again.
 * Throws `disk_full`.
 */
export async function prepareCacheFile<Part extends CachePart>(
  wanted: CacheFile<Part>,
): Promise<Map<string, TensorLocation>> {
  const { folder, name } = wanted;
  const path = join(folder, `${name}.bin`);
  const indexPath = join(folder, `${name}.json`);
  const { bytes, offsets } = planLayout(wanted.parts);
  const index = describe(wanted, bytes, offsets);
  if (!(await isCurrent(path, bytes, indexPath, index))) {
    await mkdir(folder, { recursive: true });
    await removeAbandoned(folder, name);
    await requireSpace(folder, bytes);
    await writeAtomically(path, (file) => writeParts(file, wanted, bytes, offsets));
    await writeAtomically(indexPath, (file) => file.write(Buffer.from(index)));
  }
  return new Map(
    wanted.parts.map(({ name: part, shape, byteLength }, i) => [
      part,
      { path, offset: offsets[i] as number, byteLength, shape },
    ]),
  );
}

function planLayout(parts: readonly CachePart[]): { readonly bytes: number; readonly offsets: readonly number[] } {
  let bytes = 0;
  const offsets = parts.map(({ byteLength }) => {
    const offset = Math.ceil(bytes / alignment) * alignment;
    bytes = offset + byteLength;
    return offset;
  });
  return { bytes, offsets };
}

function describe(
  { formatVersion, hash, recipe, parts }: CacheFile<CachePart>,
  bytes: number,
  offsets: readonly number[],
): string {
  const tensors = parts.map(({ name, shape, byteLength }, i) => ({ name, shape, offset: offsets[i], byteLength }));
  return `${JSON.stringify({ formatVersion, checkpoint: hash, ...(recipe ? { recipe } : {}), bytes, tensors })}\n`;
}

async function isCurrent(path: string, bytes: number, indexPath: string, index: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile() || stats.size !== bytes) return false;
  const text = await readFile(indexPath, 'utf8').catch(() => undefined);
  return text === index;
}

async function writeParts<Part extends CachePart>(
  file: SequentialWriter,
  wanted: CacheFile<Part>,
  bytes: number,
  offsets: readonly number[],
): Promise<void> {
  const report = () => wanted.onProgress?.({ label: wanted.label, done: file.position, total: bytes, unit: 'bytes' });
  for (const [i, part] of wanted.parts.entries()) {
    const padding = (offsets[i] as number) - file.position;
    if (padding > 0) await file.write(new Uint8Array(padding));
    await wanted.write(part, file, report);
    report();
  }
}

/** Refuses at once what would fail after minutes. */
async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  const megabytes = (count: number) => `${Math.ceil(count / 1e6)} MB`;
  throw new TillerError(
    'disk_full',
    `The prepared weights need ${megabytes(bytes)} in ${folder}, where ${megabytes(bavail * bsize)} are free. Free some space or choose another cache directory.`,
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
