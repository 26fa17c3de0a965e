import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { sourceInvalid } from '../source-error.ts';

/** Fills `into` from byte `offset` on. */
export type ReadBytes = (offset: number, into: Uint8Array) => void;

/** Bytes that arrays are read from, in place: a file's, or those of an archive's member that had to be unpacked. */
export interface ByteSource {
  /** For messages. */
  readonly path: string;
  readonly size: number;
  /** Memory that it holds. */
  readonly residentBytes: number;
  /** Opens the bytes for as long as `work` reads them. Throws `source_invalid` where they end too early or the file was changed. */
  use<T>(work: (read: ReadBytes) => T): T;
}

/** A file, opened anew for each use, so that nothing has to be closed; one that changed in between is refused. */
export function fileBytes(path: string): ByteSource {
  const first = statSync(path, { throwIfNoEntry: false });
  if (!first?.isFile()) throw sourceInvalid(`${path} is missing, or no regular file.`);
  return {
    path,
    size: first.size,
    residentBytes: 0,
    use(work) {
      const file = openSync(path, 'r');
      try {
        const now = fstatSync(file);
        if (now.size !== first.size || now.mtimeMs !== first.mtimeMs) {
          throw sourceInvalid(`${path} changed while it was in use. Start again.`);
        }
        return work((offset, into) => readFully(path, file, offset, into));
      } finally {
        closeSync(file);
      }
    },
  };
}

/** Bytes in memory; `path` says in messages where they are from. */
export function memoryBytes(path: string, bytes: Uint8Array): ByteSource {
  return {
    path,
    size: bytes.byteLength,
    residentBytes: bytes.byteLength,
    use: (work) =>
      work((offset, into) => {
        if (offset + into.byteLength > bytes.byteLength) throw tooShort(path, bytes.byteLength);
        into.set(bytes.subarray(offset, offset + into.byteLength));
      }),
  };
}

function readFully(path: string, file: number, offset: number, into: Uint8Array): void {
  for (let done = 0; done < into.byteLength; ) {
    const count = readSync(file, into, done, into.byteLength - done, offset + done);
    if (count === 0) throw tooShort(path, offset + done);
    done += count;
  }
}

function tooShort(path: string, end: number): Error {
  return sourceInvalid(`${path} ends at byte ${end}, in the middle of an array. Is it truncated?`);
}
