import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { TillerError } from '../../core/index.ts';
import { digestOf, type ExpectedFile, hashFor, mismatch } from './expected-file.ts';

/** Opens a file for writing; tests inject a disk that fills up. */
export type OpenFile = (path: string, flags: string) => Promise<Pick<FileHandle, 'write' | 'sync' | 'close'>>;

/** The digest of a whole file, of the kind that is known of the expected one, read in pieces. `onBytes` hears the size of each. */
export async function hashFile(
  path: string,
  expected: ExpectedFile,
  onBytes?: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  return (await feed(hashFor(expected), path, onBytes, signal)).digest('hex');
}

async function feed(hash: Hash, path: string, onBytes?: (n: number) => void, signal?: AbortSignal): Promise<Hash> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    const bytes = chunk as Buffer;
    hash.update(bytes);
    onBytes?.(bytes.length);
  }
  return hash;
}

/** A file that is arriving: bytes are counted and hashed as they are written, so nothing is read twice to be checked. */
export class ReceivedFile {
  readonly path: string;
  readonly #expected: ExpectedFile;
  readonly #handle: Awaited<ReturnType<OpenFile>>;
  readonly #hash: Hash;
  #bytes: number;

  private constructor(
    path: string,
    expected: ExpectedFile,
    started: { readonly handle: Awaited<ReturnType<OpenFile>>; readonly hash: Hash; readonly bytes: number },
  ) {
    this.path = path;
    this.#expected = expected;
    this.#handle = started.handle;
    this.#hash = started.hash;
    this.#bytes = started.bytes;
  }

  /** Opens `path` empty, or, with `keep` > 0, to append to the `keep` bytes that it already holds. */
  static async open(
    path: string,
    expected: ExpectedFile,
    options: { readonly keep?: number; readonly openFile?: OpenFile } = {},
  ): Promise<ReceivedFile> {
    const keep = options.keep ?? 0;
    const hash = hashFor(expected);
    if (keep > 0) await feed(hash, path);
    const handle = await (options.openFile ?? open)(path, keep > 0 ? 'a' : 'w');
    return new ReceivedFile(path, expected, { handle, hash, bytes: keep });
  }

  /** Bytes that the file holds now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws `checksum_mismatch` as soon as there is more than expected, before writing it. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#bytes + chunk.length > this.#expected.bytes) {
      throw new TillerError('checksum_mismatch', `longer than the expected ${this.#expected.bytes} bytes`);
    }
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#handle.write(chunk, at, chunk.length - at);
      this.#hash.update(chunk.subarray(at, at + bytesWritten));
      at += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  /** Brings what was written to the disk and closes; does not check. */
  async close(): Promise<void> {
    try {
      await this.#handle.sync();
    } finally {
      await this.#handle.close();
    }
  }

  /** After `close`: throws `checksum_mismatch`, and removes the file, unless size and digest are the expected ones. */
  async verify(): Promise<void> {
    const digest = this.#hash.digest('hex');
    if (this.#bytes === this.#expected.bytes && digest === digestOf(this.#expected).hex) return;
    await rm(this.path, { force: true });
    throw mismatch({ bytes: this.#bytes, digest }, this.#expected);
  }
}
