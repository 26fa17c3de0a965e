import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { TillerError } from '../core/index.ts';
import { writeAtomically } from './atomic-file.ts';

const rememberedSchema = z.object({
  path: z.string(),
  size: z.number(),
  modifiedMilliseconds: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
type Remembered = z.infer<typeof rememberedSchema>;

/**
 * Lower-case hex SHA-256 over files: of the one file, or, of several, of the lines `sha256  name` in name order (what `sha256sum`
 * prints). With `cacheDirectory`, the hash of a file whose path, size and modification time are known is not computed again.
 */
export async function contentHash(paths: readonly string[], cacheDirectory?: string): Promise<string> {
  if (paths.length === 1) return fileHash(paths[0], cacheDirectory);
  const lines: string[] = [];
  for (const path of [...paths].sort((a, b) => (basename(a) < basename(b) ? -1 : 1))) {
    lines.push(`${await fileHash(path, cacheDirectory)}  ${basename(path)}\n`);
  }
  return createHash('sha256').update(lines.join('')).digest('hex');
}

async function fileHash(path: string, cacheDirectory: string | undefined): Promise<string> {
  try {
    if (cacheDirectory === undefined) return await streamedHash(path);
    return await rememberedHash(path, cacheDirectory);
  } catch (error) {
    if (error instanceof TillerError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TillerError('checkpoint_invalid', `Cannot hash ${path}: ${reason}.`, { cause: error });
  }
}

async function rememberedHash(path: string, cacheDirectory: string): Promise<string> {
  const real = await realpath(path);
  const before = await stat(real);
  const key = { path: real, size: before.size, modifiedMilliseconds: before.mtimeMs };
  const folder = join(cacheDirectory, 'hashes');
  const record = join(folder, `${createHash('sha256').update(real).digest('hex').slice(0, 32)}.json`);
  const known = await readRecord(record);
  if (known && known.path === key.path && known.size === key.size && known.modifiedMilliseconds === before.mtimeMs) {
    return known.sha256;
  }
  const sha256 = await streamedHash(real);
  const remembered: Remembered = { ...key, sha256 };
  await mkdir(folder, { recursive: true });
  await writeAtomically(record, (file) => file.write(Buffer.from(JSON.stringify(remembered))));
  return sha256;
}

async function readRecord(path: string): Promise<Remembered | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return rememberedSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // a damaged record is as good as none
  }
}

async function streamedHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash);
  return hash.digest('hex');
}
