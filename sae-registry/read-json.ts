import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { sourceInvalid } from './source-error.ts';

/** A card or configuration is a few kilobytes. */
const maxBytes = 2 ** 20;

/** A small JSON file, checked by `schema`; null where there is none. Throws `source_invalid` naming the file. */
export function readOptionalJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  return readOptional(path, schema, 'JSON', JSON.parse);
}

/** The same of a text format that `parse` reads, throwing what it cannot. */
export async function readOptional<T>(
  path: string,
  schema: z.ZodType<T>,
  format: string,
  parse: (text: string) => unknown,
): Promise<T | null> {
  const stats = await stat(path).catch(() => null);
  if (stats === null) return null;
  if (!stats.isFile() || stats.size > maxBytes) {
    throw sourceInvalid(`${path} is not a file of at most ${maxBytes} bytes.`);
  }
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw sourceInvalid(`${path} is not ${format}.`, error);
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw sourceInvalid(`${path} is malformed: ${z.prettifyError(checked.error)}`);
  return checked.data;
}
