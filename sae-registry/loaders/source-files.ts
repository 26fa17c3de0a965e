import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { readOptionalJson } from '../read-json.ts';
import { sourceInvalid } from '../source-error.ts';

/** The files that a dictionary is to be found in: a folder's, or one file and what lies beside it. */
export interface SourceFiles {
  /** As it was given. */
  readonly path: string;
  /** The folder, or that of the file. Absolute: a release's folders may say model and layer. */
  readonly folder: string;
  /** Set where one file was named. */
  readonly file: string | null;
  /** Everything in the folder. */
  readonly names: readonly string[];
  has(name: string): boolean;
  at(name: string): string;
  /** The file that was named, or, in a folder, the only one like that. Null for none; throws `source_invalid` for several. */
  theOne(pattern: RegExp): string | null;
  /** A JSON file of the folder; throws `source_invalid` where it is missing or malformed. */
  json<T>(name: string, schema: z.ZodType<T>): Promise<T>;
}

/** Lists the files at a path. Throws `source_invalid` where there is nothing. */
export function sourceFiles(path: string): SourceFiles {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory() && !stats?.isFile()) throw sourceInvalid(`${path} is neither a folder nor a file.`);
  const folder = resolve(stats.isFile() ? dirname(path) : path);
  const file = stats.isFile() ? basename(path) : null;
  const names = readdirSync(folder);
  const at = (name: string) => join(folder, name);
  return {
    path,
    folder,
    file,
    names,
    has: (name) => statSync(at(name), { throwIfNoEntry: false })?.isFile() ?? false,
    at,
    theOne(pattern) {
      if (file !== null) return pattern.test(file) ? file : null;
      const found = names.filter((name) => pattern.test(name)).sort();
      if (found.length < 2) return found[0] ?? null;
      throw sourceInvalid(`${path} has several dictionaries (${found[0]}, ${found[1]} …). Name one of the files.`);
    },
    async json(name, schema) {
      const value = await readOptionalJson(at(name), schema);
      if (value === null) throw sourceInvalid(`${path} has no ${name}.`);
      return value;
    },
  };
}
