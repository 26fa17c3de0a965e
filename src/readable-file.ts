import { stat } from 'node:fs/promises';
import { TillerError } from '../engine/core/index.ts';

/** Its size in bytes. Throws `invalid_request` for what is no file, so that nothing is begun before. */
export async function readableFile(path: string): Promise<number> {
  const stats = await stat(path).catch(() => null);
  if (stats?.isFile()) return stats.size;
  throw new TillerError('invalid_request', `There is no file ${path}.`, { param: 'file' });
}
