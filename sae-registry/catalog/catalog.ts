import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { madeWithSchema } from '../source-card.ts';
import { sourceUnsupported } from '../source-error.ts';

const here = dirname(fileURLToPath(import.meta.url));
/** Beside this file in a checkout, in the checkout's sae-registry/ when it runs from dist/. */
const places = [here, resolve(here, '../../../sae-registry/catalog')].map((folder) => join(folder, 'releases.jsonl'));

/** A licence that nobody has looked up. */
export const unconfirmed = 'unconfirmed';

const releaseSchema = z.strictObject({
  release: z.string(),
  /** On the Hugging Face Hub. */
  repository: z.string(),
  /** As the release's makers name it; with the owner where they give one. */
  model: z.string(),
  /** A loader's name, or what no loader reads. */
  format: z.string(),
  /** Where the dictionary with an `{id}` lies in the repository. */
  path: z.string().optional(),
  /** The same by id, where no rule says it. */
  paths: z.record(z.string(), z.string()).optional(),
  examples: z.array(z.string()).default([]),
  dictionaries: z.int().positive(),
  layers: z.array(z.int()),
  widths: z.array(z.string()),
  /** `N` stands for a layer. Empty: not confirmed. */
  hook_points: z.array(z.string()),
  made_with: madeWithSchema.optional(),
  /** As its page says it; nobody has looked: `unconfirmed`. */
  licence: z.string().default(unconfirmed),
  unsupported: z.string().optional(),
});

/** A release of dictionaries that somebody published. Fields that are empty or missing are not confirmed. */
export type CatalogRelease = z.infer<typeof releaseSchema>;

/** One dictionary of a release. */
export interface CatalogEntry {
  readonly release: CatalogRelease;
  readonly id: string;
  /** Its folder or file in the repository. */
  readonly path: string;
}

let known: readonly CatalogRelease[] | undefined;

/** Every known release, by name. Read once; needs no network. */
export function catalogReleases(): readonly CatalogRelease[] {
  const file = places.find((path) => existsSync(path)) ?? (places[0] as string);
  known ??= readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => releaseSchema.parse(JSON.parse(line)));
  return known;
}

/** Releases in whose names, models, formats, hook points, widths or repositories every word occurs; all for no words. */
export function searchCatalog(words: string, releases = catalogReleases()): readonly CatalogRelease[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return releases.filter((release) => {
    const { repository, model, format, hook_points, widths, licence } = release;
    const text = [release.release, repository, model, format, licence, ...hook_points, ...widths]
      .join(' ')
      .toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/**
 * The dictionary that `release/id` names; null where no release is called so. Throws `source_not_found` for an id that the release is
 * known not to have, with the nearest, and `source_unsupported` for what no loader reads.
 */
export function findCatalogEntry(name: string, releases = catalogReleases()): CatalogEntry | null {
  const release = releases.find((candidate) => name === candidate.release || name.startsWith(`${candidate.release}/`));
  if (!release) return null;
  if (release.unsupported !== undefined) throw sourceUnsupported(`${release.release} (${release.unsupported})`);
  const id = name.slice(release.release.length + 1);
  const path = release.paths ? release.paths[id] : id === '' ? undefined : release.path?.replace('{id}', () => id);
  if (path !== undefined) return { release, id, path };
  const ids = release.paths ? Object.keys(release.paths) : release.examples;
  throw new TillerError(
    'source_not_found',
    `${release.release} has no dictionary '${id}'. It has ${release.dictionaries}, as ${ids.slice(0, 3).join(', ')}.`,
    { param: 'source', suggestions: nearest(id, ids).map((near) => `${release.release}/${near}`) },
  );
}
