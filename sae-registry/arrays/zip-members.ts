import { openPromise } from 'yauzl';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import { type ByteSource, fileBytes, memoryBytes } from './byte-source.ts';

/** A member of a zip archive: where its bytes begin. */
export interface ZipMember {
  /** Ends where the member does. */
  readonly bytes: ByteSource;
  readonly offset: number;
  readonly size: number;
}

/** A member that is packed has to be held in memory whole. */
const maxUnpackedBytes = 2 ** 31;
const maxMembers = 65_536;

/**
 * The members of a zip archive that `wanted` names. Stored ones (as numpy's `savez` and torch write them) are read in place;
 * packed ones (`savez_compressed`) are unpacked into memory. Nothing is written anywhere. Throws `source_invalid`.
 */
export async function openZip(path: string, wanted: (name: string) => boolean): Promise<Map<string, ZipMember>> {
  const file = fileBytes(path);
  const archive = await openPromise(path, { autoClose: false }).catch((error: unknown) => {
    throw sourceInvalid(`${path} is no readable zip archive: ${String(error)}.`, error);
  });
  const members = new Map<string, ZipMember>();
  try {
    if (archive.entryCount > maxMembers) throw sourceInvalid(`${path} has ${archive.entryCount} members.`);
    for await (const entry of archive.eachEntry()) {
      const { fileName, uncompressedSize: size } = entry;
      if (!wanted(fileName)) continue;
      if (members.has(fileName)) throw sourceInvalid(`${path} has two members ${fileName}.`);
      if (entry.isEncrypted()) throw sourceUnsupported(`${path}: the encrypted member ${fileName}`);
      if (entry.compressionMethod === 0) {
        const { fileDataStart: offset } = await archive.readLocalFileHeaderPromise(entry, { minimal: true });
        if (offset + size > file.size)
          throw sourceInvalid(`${path}: ${fileName} ends beyond the file. Is it truncated?`);
        members.set(fileName, { bytes: { ...file, size: offset + size }, offset, size });
        continue;
      }
      if (size > maxUnpackedBytes) throw sourceUnsupported(`${path}: ${size} packed bytes of ${fileName}`);
      const chunks: Buffer[] = [];
      for await (const chunk of await archive.openReadStreamPromise(entry)) chunks.push(chunk);
      members.set(fileName, { bytes: memoryBytes(path, Buffer.concat(chunks)), offset: 0, size });
    }
    return members;
  } catch (error) {
    throw error instanceof Error && error.name === 'TillerError'
      ? error
      : sourceInvalid(`${path} is no readable zip archive: ${String(error)}.`, error);
  } finally {
    archive.close();
  }
}

/** All bytes of a small member. */
export function readMember({ bytes, offset, size }: ZipMember): Uint8Array {
  const into = new Uint8Array(size);
  bytes.use((read) => read(offset, into));
  return into;
}
