import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TillerError } from '../core/index.ts';

/** Appends to a file. */
export interface SequentialWriter {
  /** Bytes written so far. */
  readonly position: number;
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Writes `path` so that it is whole or absent: under a temporary name beside it, synced, then renamed. A failure leaves nothing
 * behind; a full disk is `disk_full`. Several processes may write the same path at once: the last rename wins, each file whole.
 */
export async function writeAtomically(path: string, fill: (file: SequentialWriter) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeSynced(temporary, fill);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(path, error);
  }
  await syncDirectory(dirname(path));
}

async function writeSynced(path: string, fill: (file: SequentialWriter) => Promise<void>): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    const writer = new HandleWriter(handle);
    await fill(writer);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

class HandleWriter implements SequentialWriter {
  readonly #handle: FileHandle;
  #position = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  get position(): number {
    return this.#position;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.byteLength) {
      done += (await this.#handle.write(bytes, done, bytes.byteLength - done)).bytesWritten;
    }
    this.#position += done;
  }
}

/** Makes the rename durable. Not every platform can open a directory; where it cannot, the rename is durable soon enough. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** ENOSPC and a used-up quota as `disk_full`; anything else as it is. */
function diskError(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new TillerError(
    'disk_full',
    `The disk is full: ${path} could not be written. Free some space or choose another cache directory.`,
    { cause: error },
  );
}
