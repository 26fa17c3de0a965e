import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readVectorFile, type VectorFile } from '../../sae-registry/index.ts';

/** The directions of a file that was sent: readers want it on disk, where it is for as long as it is read. Throws as `readVectorFile`. */
export async function readUploadedVector(bytes: Uint8Array): Promise<VectorFile> {
  const folder = await mkdtemp(join(tmpdir(), 'tiller-vector-'));
  try {
    const path = join(folder, 'vector');
    await writeFile(path, bytes);
    return await readVectorFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
