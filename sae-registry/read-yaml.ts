import { parse } from 'yaml';
import type { z } from 'zod';
import { readOptional } from './read-json.ts';

/** A small YAML file, checked by `schema`; null where there is none. Throws `source_invalid` naming the file. */
export function readOptionalYaml<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  return readOptional(path, schema, 'YAML', (text) => parse(text, { maxAliasCount: 100 }));
}
