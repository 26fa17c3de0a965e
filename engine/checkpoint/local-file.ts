import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { TillerError } from '../core/index.ts';
import { exceededBound, type JsonBounds } from './json-bounds.ts';

/** A file read at offsets. Reads beyond its end are `checkpoint_invalid`. */
export class LocalFile {
  readonly path: string;
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
  }

  static async open(path: string): Promise<LocalFile> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw new TillerError('checkpoint_invalid', `Cannot open ${path}: ${reason(error)}.`, { cause: error });
    });
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new TillerError('checkpoint_invalid', `${path} is not a regular file.`);
      return new LocalFile(path, stats.size, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Fills `into` from `offset` on. */
  async read(offset: number, into: Uint8Array): Promise<void> {
    let done = 0;
    while (done < into.byteLength) {
      const { bytesRead } = await this.#handle.read(into, done, into.byteLength - done, offset + done);
      if (bytesRead === 0) {
        throw new TillerError(
          'checkpoint_invalid',
          `${this.path} ends at byte ${offset + done}, where ${into.byteLength - done} more were expected. Is the download complete?`,
        );
      }
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A JSON file beside the weights, within bounds, parsed but not yet checked; undefined where there is none. */
export async function readJson(path: string, bounds: JsonBounds): Promise<unknown> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw new TillerError('checkpoint_invalid', `${path} is not a regular file.`);
  if (stats.size > bounds.bytes) {
    throw new TillerError('checkpoint_invalid', `${path} has ${stats.size} bytes; at most ${bounds.bytes} are read.`);
  }
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new TillerError('checkpoint_invalid', `Cannot read ${path}: ${reason(error)}.`, { cause: error });
  });
  const exceeded = exceededBound(bytes, bounds);
  if (exceeded !== null) throw new TillerError('checkpoint_invalid', `${path} ${exceeded}.`);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new TillerError('checkpoint_invalid', `${path} is not JSON: ${reason(error)}.`, { cause: error });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
