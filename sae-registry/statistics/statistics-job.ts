import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { type SparseActivations, TillerError } from '../../engine/core/index.ts';
import type { Source } from '../source.ts';
import { writeCofirings } from '../store/cofirings.ts';
import { writeExamples } from '../store/examples.ts';
import { jobState, saveJobState } from '../store/job-states.ts';
import { findJob, saveJob } from '../store/jobs.ts';
import { type Store, writeStore } from '../store/open-store.ts';
import { writeStatistics } from '../store/statistics.ts';
import { FeatureTally } from './feature-tally.ts';

const kind = 'statistics';
const cursorSchema = z.object({ texts: z.int().nonnegative(), digest: z.string() });

export interface StatisticsJob {
  readonly store: Store;
  readonly source: Source;
  /** What is read, in words that make it another job: the file's name, how it is cut. */
  readonly text: string;
  /** The texts as tokens, the same ones in the same order whenever the job goes on. */
  readonly sequences: AsyncIterable<Int32Array>;
  /** Reads texts, in their order. */
  readonly read: (
    sequences: AsyncIterable<Int32Array>,
  ) => AsyncIterable<{ readonly tokenIds: Int32Array; readonly activations: SparseActivations }>;
  readonly tokenText: (id: number) => string;
  /** Begins anew, whatever an earlier run has left. */
  readonly restart?: boolean;
  /** Milliseconds between two savings; default 20,000. */
  readonly saveMilliseconds?: number;
  /** Told after every text; `texts` counts those of earlier runs too. */
  readonly onProgress?: (progress: { readonly texts: number; readonly tokens: number }) => void;
}

export interface StatisticsOutcome {
  readonly texts: number;
  /** Tokens that counted. */
  readonly tokens: number;
  readonly version: string;
  /** Features that fired on nothing. */
  readonly silent: number;
  /** Tokens that had more active features than were told. */
  readonly truncated: number;
  /** Texts that an earlier run had read. */
  readonly resumed: number;
}

/**
 * Runs texts through the model and writes down what each feature of a source did: statistics, examples and what fires together in place of those
 * that were there, at the end and all at once. What was read is saved as it goes: killed and begun again with the same texts it goes on, and ends
 * with the same numbers. Throws `invalid_request` for texts that are not those it began with, or none.
 */
export async function runStatisticsJob(job: StatisticsJob): Promise<StatisticsOutcome> {
  const { store, source, text, restart = false, saveMilliseconds = 20_000 } = job;
  const key = `source:${source.key} ${text}`;
  const tally = new FeatureTally(source.card?.sink_norm ?? null);
  const earlier = restart ? null : findUnfinished(store, key, tally);
  let texts = earlier?.texts ?? 0;
  const digest = new TextDigest(earlier?.digest);
  const save = (state: 'running' | 'done') =>
    writeStore(store, () => {
      saveJob(store, { kind, key, state, done: texts, total: null, cursor: { texts, digest: digest.value } });
      saveJobState(store, kind, key, state === 'done' ? null : tally.save());
    });
  let saved = performance.now();
  try {
    for await (const { tokenIds, activations } of job.read(unread(job.sequences, earlier))) {
      tally.add(tokenIds, activations);
      // texts are read ahead: only what is in the tally may be in the digest
      digest.add(tokenIds);
      texts++;
      job.onProgress?.({ texts, tokens: tally.tokens });
      if (performance.now() - saved >= saveMilliseconds) {
        save('running');
        saved = performance.now();
      }
      await setImmediate();
    }
  } catch (error) {
    if (texts > (earlier?.texts ?? 0)) save('running');
    throw error;
  }
  if (tally.tokens === 0) {
    throw new TillerError('invalid_request', 'The texts have no token that counts: none of two tokens or more.', {
      param: 'texts',
    });
  }
  return finish(job, tally, {
    texts,
    version: `tiller-1-${digest.value.slice(0, 12)}`,
    save,
    resumed: earlier?.texts ?? 0,
  });
}

function finish(
  { store, source, tokenText }: StatisticsJob,
  tally: FeatureTally,
  end: { texts: number; version: string; save: (state: 'done') => void; resumed: number },
): StatisticsOutcome {
  const { texts, version, resumed } = end;
  const { features } = source.dictionary;
  const figures = [...tally.figures(features, tokenText)];
  const origin = { source: source.key, version, artifact: null };
  const examples = new Map(
    figures.map(({ feature }) => [feature, [] as { tokens: string[]; values: Float32Array; peak: number }[]]),
  );
  for (const [feature, passages] of tally.passages()) {
    examples.set(
      feature,
      passages.map(({ tokenIds, values, peak }) => ({ tokens: Array.from(tokenIds, tokenText), values, peak })),
    );
  }
  const cofirings = tally.cofirings(features);
  writeStore(store, () => {
    writeStatistics(store, origin, figures);
    writeExamples(store, origin, examples);
    writeCofirings(store, { source: source.key, version, tokens: cofirings.tokens }, cofirings.features);
    end.save('done');
  });
  const silent = figures.filter(({ density }) => density === 0).length;
  return { texts, tokens: tally.tokens, version, silent, truncated: tally.truncated, resumed };
}

/** Where an earlier run came to, its figures put into the tally; null where there is none that could go on. */
function findUnfinished(store: Store, key: string, tally: FeatureTally): z.infer<typeof cursorSchema> | null {
  const job = findJob(store, kind, key);
  const state = jobState(store, kind, key);
  const cursor = cursorSchema.safeParse(job?.cursor);
  if (job?.state !== 'running' || state === null || !cursor.success) return null;
  return tally.restore(state) ? cursor.data : null;
}

/** What comes after the texts that were read; throws where those are others. */
async function* unread(
  sequences: AsyncIterable<Int32Array>,
  earlier: z.infer<typeof cursorSchema> | null,
): AsyncGenerator<Int32Array> {
  let left = earlier?.texts ?? 0;
  const digest = new TextDigest();
  const check = () => {
    if (earlier === null || (left === 0 && digest.value === earlier.digest)) return;
    const message = 'These are not the texts that this began with. Begin anew with --restart, or give the same ones.';
    throw new TillerError('invalid_request', message, { param: 'texts' });
  };
  for await (const tokenIds of sequences) {
    if (left === 0) {
      yield tokenIds;
      continue;
    }
    digest.add(tokenIds);
    if (--left === 0) check();
  }
  if (left > 0) check();
}

/** A hash over texts, one after the other, that can go on from its value. */
class TextDigest {
  #value: string;

  constructor(value = '') {
    this.#value = value;
  }

  get value(): string {
    return this.#value;
  }

  add(tokenIds: Int32Array): void {
    this.#value = createHash('sha256').update(this.#value).update(tokenIds).digest('hex');
  }
}
