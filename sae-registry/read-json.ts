import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { sourceInvalid } from './source-error.ts';

/** A card or configuration is a few kilobytes. */
const maxJsonBytes = 2 ** 20;

/** A small JSON file, checked by `schema`; null where there is none. Throws `source_invalid` naming the file. */
export async function readOptionalJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const stats = await stat(path).catch(() => null);
  if (stats === null) return null;
  if (!stats.isFile() || stats.size > maxJsonBytes) {
    throw sourceInvalid(`${path} is not a file of at most ${maxJsonBytes} bytes.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw sourceInvalid(`${path} is not JSON.`, error);
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw sourceInvalid(`${path} is malformed: ${z.prettifyError(checked.error)}`);
  return checked.data;
}
