import { statfs } from 'node:fs/promises';
import { TillerError } from '../../core/index.ts';
import { errorCode, formatBytes } from './describe.ts';

/** Free bytes for an unprivileged user on the file system that holds a folder. */
export type FreeBytes = (folder: string) => Promise<number>;

export const freeBytes: FreeBytes = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/** Left unused on the disk, so that a model never takes the last block. */
const reserve = 16 * 1024 * 1024;

/** Throws `disk_full` when `folder` has no room for `bytes` more. */
export async function requireSpace(folder: string, bytes: number, free: FreeBytes = freeBytes): Promise<void> {
  const available = await free(folder);
  if (available < bytes + reserve) throw diskFull(folder, bytes, available);
}

/** `error` as `disk_full` when it says so (ENOSPC, EDQUOT), else itself. */
export async function asDiskFull(error: unknown, folder: string, needed: number, free = freeBytes): Promise<unknown> {
  const code = errorCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const available = await free(folder).catch(() => null);
  return diskFull(folder, needed, available, error);
}

export function diskFull(folder: string, needed: number, available: number | null, cause?: unknown): TillerError {
  const rest = available === null ? 'an unknown amount is' : `${formatBytes(available)} (${available} bytes) are`;
  return new TillerError(
    'disk_full',
    `Not enough disk space in ${folder}: ${formatBytes(needed)} (${needed} bytes) needed, ${rest} free. ` +
      'Free some space or choose another folder with --cache-dir; what was begun has been removed.',
    { param: 'cache-dir', cause },
  );
}
