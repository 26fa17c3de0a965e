import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { contentHash } from '../../engine/checkpoint/content-hash.ts';
import { findJob, type Store, saveJob } from '../store/index.ts';

const kind = 'folder-file';
const cursorSchema = z.object({ hash: z.string(), artifact: z.int() });

/** A file of a source's folder that the store has not seen in this form. */
export interface NewFolderFile {
  readonly path: string;
  /** sha256. */
  readonly hash: string;
  readonly bytes: number;
  /** Key of the artifact that the file was when it was last read; null where it is read for the first time. */
  readonly earlier: number | null;
  /** Notes that it has been read as this artifact; call it in the transaction of the last row. */
  done(artifact: number): void;
}

/** A file of a source's folder, to be read into the store; null where there is none or it has been read as it is. */
export async function newFolderFile(
  store: Store,
  source: number,
  folder: string,
  name: string,
): Promise<NewFolderFile | null> {
  const path = join(folder, name);
  const stats = await stat(path).catch(() => null);
  if (stats === null) return null;
  const hash = await contentHash([path]);
  const key = `source:${source} ${name}`;
  const cursor = cursorSchema.safeParse(findJob(store, kind, key)?.cursor).data ?? null;
  if (cursor?.hash === hash) return null;
  return {
    path,
    hash,
    bytes: stats.size,
    earlier: cursor?.artifact ?? null,
    done: (artifact) =>
      saveJob(store, { kind, key, state: 'done', done: stats.size, total: stats.size, cursor: { hash, artifact } }),
  };
}
