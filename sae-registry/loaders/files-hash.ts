import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { contentHash } from '../../engine/checkpoint/content-hash.ts';
import { fileBytes } from '../arrays/byte-source.ts';
import { asSource } from '../source-error.ts';

/** Files up to this size together are hashed whole: a few seconds. */
const maxHashedBytes = 2 * 2 ** 30;
const samples = 256;
const sampleBytes = 2 ** 16;

/**
 * What pins a dictionary's files: the sha256 of all their bytes, or, of files too large to be read whole at every start, `sampled-` and
 * the sha256 of their sizes and of 256 evenly spaced pieces of each.
 */
export async function filesHash(paths: readonly string[]): Promise<string> {
  const total = paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  if (total <= maxHashedBytes) return asSource(() => contentHash(paths));
  const hash = createHash('sha256');
  for (const bytes of paths.map(fileBytes)) {
    hash.update(`${bytes.size}\n`);
    const piece = new Uint8Array(Math.min(sampleBytes, bytes.size));
    bytes.use((read) => {
      for (let i = 0; i < samples; i++) {
        read(Math.floor(((bytes.size - piece.length) * i) / (samples - 1)), piece);
        hash.update(piece);
      }
    });
  }
  return `sampled-${hash.digest('hex')}`;
}
