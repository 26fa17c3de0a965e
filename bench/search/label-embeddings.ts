import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Embedder } from '../../sae-registry/embedder/embedder.ts';
import { embeddingWidth, toEightBits } from '../../sae-registry/embedder/embedding.ts';
import { cacheDirectory } from '../checkout.ts';

/** Labels that are embedded at a time. */
const batch = 32;
/** Labels that are written together. */
const written = 4096;

/**
 * The embeddings of these labels as the service stores them, row after row: made once, then read from the cache, since a hundred
 * thousand take minutes. A run that was cut off goes on where it ended.
 */
export async function embedLabels(embedder: Embedder, labels: readonly string[]): Promise<Int8Array> {
  const name = createHash('sha256').update(embedder.hash).update(labels.join('\n')).digest('hex').slice(0, 16);
  const path = join(cacheDirectory, 'bench-search', `labels-${name}.i8`);
  if (existsSync(path)) return asRows(readFileSync(path));
  mkdirSync(join(cacheDirectory, 'bench-search'), { recursive: true });
  const partial = `${path}.partial`;
  const done = existsSync(partial) ? Math.floor(readFileSync(partial).length / embeddingWidth) : 0;
  const file = openSync(partial, done === 0 ? 'w' : 'r+');
  try {
    for (let first = done; first < labels.length; first += written) {
      const rows = await embedSome(embedder, labels.slice(first, first + written));
      writeSync(file, rows, 0, rows.length, first * embeddingWidth);
      console.error(`  ${Math.min(first + written, labels.length)} of ${labels.length} labels are embedded`);
    }
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  return asRows(readFileSync(path));
}

/** Texts of like length together: a batch is as wide as its longest. */
async function embedSome(embedder: Embedder, labels: readonly string[]): Promise<Int8Array> {
  const order = labels.map((_, at) => at).sort((a, b) => labels[a].length - labels[b].length);
  const rows = new Int8Array(labels.length * embeddingWidth);
  for (let at = 0; at < order.length; at += batch) {
    const some = order.slice(at, at + batch);
    const vectors = await embedder.embed(some.map((place) => labels[place]));
    for (const [i, place] of some.entries()) rows.set(toEightBits(vectors[i]), place * embeddingWidth);
  }
  return rows;
}

function asRows(bytes: Buffer): Int8Array {
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
