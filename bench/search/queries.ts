import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { checkout } from '../checkout.ts';

/** A question as people ask it, and the features of the bundled source that a careful reader of its labels accepts. */
const querySchema = z.strictObject({ query: z.string().min(1), features: z.array(z.int().nonnegative()).min(1) });
export type QualityQuery = z.infer<typeof querySchema>;

/** Written down from the labels before any search ran over them (bench/README.md). */
export function readQueries(): QualityQuery[] {
  return readLines(join(checkout, 'bench', 'search', 'queries.jsonl')).map((line) => querySchema.parse(line));
}

/** Of the bundled source, by feature. */
export function readBundledLabels(): { readonly index: number; readonly label: string; readonly clarity: number }[] {
  const folder = join(checkout, 'sae-registry', 'bundled', 'smollm2-135m-instruct', '17-res-4k');
  const schema = z.object({ index: z.int(), label: z.string(), clarity: z.number() });
  return readLines(join(folder, 'labels.jsonl')).map((line) => schema.parse(line));
}

function readLines(path: string): unknown[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

/** Share of what could be found that the first five hold: of the accepted features, or of five where there are more. */
export function recallAtFive(found: readonly number[], accepted: readonly number[]): number {
  const hits = found.slice(0, 5).filter((index) => accepted.includes(index)).length;
  return hits / Math.min(5, accepted.length);
}
