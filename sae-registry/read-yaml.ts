import { readFile, stat } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { sourceInvalid } from './source-error.ts';

/** A configuration is a few kilobytes. */
const maxYamlBytes = 2 ** 20;

/** A small YAML file, checked by `schema`; null where there is none. Throws `source_invalid` naming the file. */
export async function readOptionalYaml<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const stats = await stat(path).catch(() => null);
  if (stats === null) return null;
  if (!stats.isFile() || stats.size > maxYamlBytes) {
    throw sourceInvalid(`${path} is not a file of at most ${maxYamlBytes} bytes.`);
  }
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw sourceInvalid(`${path} is not YAML.`, error);
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw sourceInvalid(`${path} is malformed: ${z.prettifyError(checked.error)}`);
  return checked.data;
}
