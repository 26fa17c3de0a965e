import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonLines } from './json-lines.ts';
import type { SourceCard } from './source-card.ts';
import { sourceInvalid } from './source-error.ts';

const lineSchema = z.object({
  index: z.int().nonnegative(),
  label: z.string().min(1).max(2000),
  /** How clear the theme is: the higher the clearer. Of the bundled labels: 3 one theme, 2 mostly, 1 mixed. */
  clarity: z.number().finite().nullish(),
  method: z.string().optional(),
  author: z.string().optional(),
});

/** What somebody, or something, wrote about a feature: a description, not a measurement. */
export interface Label {
  readonly text: string;
  readonly method: string;
  readonly author: string;
  readonly clarity: number | null;
}

/** Labels by feature index, in the order of the file. A feature may have none or several. */
export type Labels = ReadonlyMap<number, readonly Label[]>;

/** Reads `labels.jsonl` of a source folder; empty where there is none. Throws `source_invalid`. */
export async function readLabels(folder: string, features: number, card: SourceCard | null): Promise<Labels> {
  const path = join(folder, 'labels.jsonl');
  const labels = new Map<number, Label[]>();
  if (!(await stat(path).catch(() => null))) return labels;
  for await (const { value } of readJsonLines(path, lineSchema)) {
    if (value.index >= features)
      throw sourceInvalid(`${path} has feature ${value.index}; the dictionary has ${features}.`);
    const label = {
      text: value.label,
      method: value.method ?? card?.label_method ?? 'unknown',
      author: value.author ?? card?.label_author ?? 'unknown',
      clarity: value.clarity ?? null,
    };
    labels.set(value.index, [...(labels.get(value.index) ?? []), label]);
  }
  return labels;
}
