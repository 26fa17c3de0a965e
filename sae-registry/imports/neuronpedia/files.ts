import { createReadStream, type ReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { createGunzip } from 'node:zlib';
import { TillerError } from '../../../engine/core/index.ts';

/** The folders of an export, in the order in which they are read. */
export const exportKinds = ['features', 'explanations', 'activations'] as const;
export type ExportKind = (typeof exportKinds)[number];

export interface ExportFile {
  readonly path: string;
  readonly kind: ExportKind;
  /** As it lies on disk, compressed or not. */
  readonly bytes: number;
}

/** `batch-12.jsonl.gz`, or unpacked. */
const fileName = /^batch-(\d+)\.jsonl(\.gz)?$/;

/**
 * The files of a Neuronpedia export: of folders that hold `features/`, `explanations/` or `activations/`, of those folders
 * themselves, and files in them. Throws `invalid_request` for a path that is none of these.
 */
export async function findExportFiles(paths: readonly string[]): Promise<ExportFile[]> {
  const found = new Map<string, ExportFile>();
  for (const given of paths) {
    const files = await filesOf(resolve(given));
    if (files.length === 0) {
      throw new TillerError(
        'invalid_request',
        `${given} holds no files of a Neuronpedia export: features/, explanations/ or activations/ with batch-0.jsonl.gz and so on.`,
        { param: 'files' },
      );
    }
    for (const file of files) found.set(file.path, file);
  }
  const place = ({ path, kind }: ExportFile) => [exportKinds.indexOf(kind), Number(fileName.exec(basename(path))?.[1])];
  return [...found.values()].sort((a, b) => {
    const [[kindA = 0, batchA = 0], [kindB = 0, batchB = 0]] = [place(a), place(b)];
    return kindA - kindB || batchA - batchB || (a.path < b.path ? -1 : 1);
  });
}

/** The bytes of a file, unpacked where it is packed; `raw` tells how many of it have been read. Throws as zlib does. */
export function openExportFile({ path }: ExportFile): {
  readonly raw: ReadStream;
  readonly bytes: AsyncIterable<Uint8Array>;
} {
  const raw = createReadStream(path);
  if (!path.endsWith('.gz')) return { raw, bytes: raw };
  const unpacked = createGunzip();
  raw.once('error', (error) => unpacked.destroy(error));
  return { raw, bytes: raw.pipe(unpacked) };
}

async function filesOf(path: string): Promise<ExportFile[]> {
  const stats = await stat(path).catch(() => null);
  if (stats?.isFile()) {
    const kind = exportKinds.find((name) => name === basename(dirname(path)));
    return kind && fileName.test(basename(path)) ? [{ path, kind, bytes: stats.size }] : [];
  }
  if (!stats?.isDirectory()) return [];
  const isKind = (name: string) => (exportKinds as readonly string[]).includes(name);
  const inside = (await readdir(path)).filter((name) => (isKind(basename(path)) ? fileName.test(name) : isKind(name)));
  return (await Promise.all(inside.map((name) => filesOf(join(path, name))))).flat();
}
