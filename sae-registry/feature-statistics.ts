import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { residentBytes } from './dictionary.ts';
import { parseJsonLine, readJsonLines } from './json-lines.ts';
import { sourceInvalid } from './source-error.ts';

const amount = z.number().nonnegative().finite();
const mostItems = 1000;
/** Lists are checked by plain loops: item by item through the schema, a start with three bundled sources takes 0.15 s longer. */
const tokens = z.custom<string[]>(
  (value) => isList(value) && value.every((item) => typeof item === 'string'),
  `must be at most ${mostItems} texts`,
);
const amounts = z.custom<number[]>(
  (value) =>
    isList(value) && value.every((item) => typeof item === 'number' && item >= 0 && item < Number.POSITIVE_INFINITY),
  `must be at most ${mostItems} numbers of 0 or more`,
);

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length <= mostItems;
}

/** One line of `features.jsonl`. Activations in the dictionary's own units. */
const recordSchema = z.object({
  index: z.int().nonnegative(),
  /** Share of tokens on which it is active. */
  density: amount.max(1),
  max: amount,
  /** 99.9th percentile of its non-zero activations. */
  p999: amount,
  /** Of non-zero activations. */
  mean: amount,
  /** Counts of non-zero activations in equal bins from 0 to max. */
  histogram: amounts,
  top_logits: tokens.default([]),
  bottom_logits: tokens.default([]),
  top_tokens: tokens.default([]),
  examples: z
    .array(z.object({ tokens, value: z.number() }))
    .max(mostItems)
    .default([]),
});

export type FeatureRecord = z.infer<typeof recordSchema>;

/** A source's statistics. Only what steering needs stays in memory; the rest is read again from the file. */
export interface FeatureStatistics {
  /** The card's version and the beginning of the file's sha256: other figures, other version. */
  readonly version: string;
  /** Memory that its arrays hold. */
  readonly residentBytes: number;
  /** p999 of a feature; null where it has no line. */
  maxActivation(index: number): number | null;
  /** The whole record, read from disk; null where it has no line. */
  record(index: number): FeatureRecord | null;
}

/**
 * Reads `features.jsonl` of a source folder line by line, each checked; null where there is none. Throws `source_invalid`
 * for a malformed line, an index out of range or given twice.
 */
export async function readFeatureStatistics(
  folder: string,
  features: number,
  cardVersion: number | string | undefined,
): Promise<FeatureStatistics | null> {
  const path = join(folder, 'features.jsonl');
  if (!(await stat(path).catch(() => null))) return null;
  const maxActivations = new Float64Array(features).fill(Number.NaN);
  const places = new Float64Array(features * 2);
  const hash = createHash('sha256');
  for await (const { value, offset, length } of readJsonLines(path, recordSchema, (bytes) => hash.update(bytes))) {
    if (value.index >= features)
      throw sourceInvalid(`${path} has feature ${value.index}; the dictionary has ${features}.`);
    if (!Number.isNaN(maxActivations[value.index])) throw sourceInvalid(`${path} has feature ${value.index} twice.`);
    maxActivations[value.index] = value.p999;
    places.set([offset, length], value.index * 2);
  }
  return {
    version: `${cardVersion ?? 0}-${hash.digest('hex').slice(0, 12)}`,
    residentBytes: residentBytes([maxActivations, places]),
    maxActivation: (index) => {
      const value = maxActivations[index] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    },
    record: (index) => {
      if (Number.isNaN(maxActivations[index] ?? Number.NaN)) return null;
      const record = readRecord(path, places[index * 2] as number, places[index * 2 + 1] as number);
      if (record.index !== index) throw sourceInvalid(`${path} changed while it was in use. Start again.`);
      return record;
    },
  };
}

function readRecord(path: string, offset: number, length: number): FeatureRecord {
  const bytes = Buffer.alloc(length);
  const file = openSync(path, 'r');
  try {
    readSync(file, bytes, 0, length, offset);
  } finally {
    closeSync(file);
  }
  return parseJsonLine(bytes.toString('utf8'), recordSchema, `${path}, byte ${offset}`);
}
