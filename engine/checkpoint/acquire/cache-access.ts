import { mkdir } from 'node:fs/promises';
import { TillerError } from '../../core/index.ts';
import { errorCode, rootMessage } from './describe.ts';
import { asDiskFull } from './disk-space.ts';
import { cancelled } from './file-lock.ts';
import { dropPartial } from './hub-download.ts';
import { type AcquireOptions, defaultTimeouts, type FetchContext } from './options.ts';

/** Makes the folder, and turns missing rights in it into advice. `bytes`: what is needed, for the word about a full disk. */
export async function withWritableFolder<T>(folder: string, bytes: number, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(folder, { recursive: true });
    return await work();
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(errorCode(error) ?? '')) {
      throw await asDiskFull(error, folder, bytes);
    }
    throw new TillerError(
      'model_unavailable',
      `Cannot write to the cache folder ${folder} (${rootMessage(error)}). Choose another with --cache-dir.`,
      { param: 'cache-dir', cause: error },
    );
  }
}

/** How to wait for another process that is getting the same model. */
export function lockOptions(name: string, options: AcquireOptions) {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const label = `Waiting for another process that is getting ${name}`;
  return {
    stale: timeouts.staleLock,
    poll: timeouts.poll,
    onWait: () => options.onProgress?.({ label, done: 0, total: null, unit: 'items' }),
  };
}

/**
 * Any value thrown while a file was fetched as this step's TillerError. Nothing of a failed or wrong file is left; parts that can be
 * resumed are. `needed`: bytes, for the word about a full disk.
 */
export async function explainFailure(thrown: unknown, needed: number, context: FetchContext): Promise<TillerError> {
  if (context.signal.aborted) {
    return context.signal.reason instanceof TillerError ? context.signal.reason : cancelled();
  }
  const error = await asDiskFull(thrown, context.folder, needed, context.freeBytes);
  if (error instanceof TillerError) {
    if (error.code === 'disk_full') await dropPartial(context.partialPath);
    return error;
  }
  await dropPartial(context.partialPath);
  return new TillerError('model_unavailable', rootMessage(error), { cause: error });
}
