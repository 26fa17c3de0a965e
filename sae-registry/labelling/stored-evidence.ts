import { and, asc, eq } from 'drizzle-orm';
import type { Store } from '../store/index.ts';
import { examples, statistics } from '../store/schema.ts';
import type { NegativePool } from './negatives.ts';
import type { Evidence, Passage } from './passage.ts';
import { SharedTokens } from './shared-tokens.ts';
import { peakTokens } from './token-label.ts';

/** What the store knows of one source's features. */
export interface StoredEvidence extends NegativePool {
  /** Features that have passages, ascending. */
  readonly features: readonly number[];
  /** Features that have passages or statistics, ascending. */
  readonly known: readonly number[];
  evidence(feature: number): Evidence;
}

/** Reads as it goes; which features fire on the same tokens is gathered when it is first asked for. */
export function openEvidence(store: Store, source: number): StoredEvidence {
  const { db } = store;
  const features = db
    .selectDistinct({ feature: examples.feature })
    .from(examples)
    .where(eq(examples.source, source))
    .orderBy(asc(examples.feature))
    .all()
    .map(({ feature }) => feature);
  const measured = db
    .select({ feature: statistics.feature })
    .from(statistics)
    .where(eq(statistics.source, source))
    .all()
    .map(({ feature }) => feature);
  const passages = (feature: number) => passagesOf(store, source, feature);
  let tokens: SharedTokens | null = null;
  return {
    features,
    known: [...new Set([...features, ...measured])].sort((a, b) => a - b),
    passages,
    neighbours: (feature) => {
      tokens ??= gatherTokens(store, source, features);
      return tokens.neighbours(feature);
    },
    evidence: (feature) => {
      const row = db
        .select({ topLogits: statistics.topLogits, topTokens: statistics.topTokens })
        .from(statistics)
        .where(and(eq(statistics.source, source), eq(statistics.feature, feature)))
        .get();
      return { feature, passages: passages(feature), topLogits: row?.topLogits ?? [], topTokens: row?.topTokens ?? [] };
    },
  };
}

function passagesOf({ db }: Store, source: number, feature: number): Passage[] {
  return db
    .select({ tokens: examples.tokens, values: examples.values, peak: examples.peak })
    .from(examples)
    .where(and(eq(examples.source, source), eq(examples.feature, feature)))
    .orderBy(asc(examples.rank))
    .all()
    .map(({ tokens, values, peak }) => ({ tokens, values: values === null ? null : floats(values), peak }));
}

/** Little-endian float32, copied: a buffer may lie anywhere in its memory. */
function floats(buffer: Buffer): Float32Array {
  return Float32Array.from({ length: Math.floor(buffer.length / 4) }, (_, i) => buffer.readFloatLE(i * 4));
}

/** The tokens on which each feature fires most often; of one without statistics those at the peaks of its passages. */
function gatherTokens(store: Store, source: number, features: readonly number[]): SharedTokens {
  const rows = store.db
    .select({ feature: statistics.feature, topTokens: statistics.topTokens })
    .from(statistics)
    .where(eq(statistics.source, source))
    .all();
  const known = new Map(rows.map(({ feature, topTokens }) => [feature, topTokens]));
  const tokens = new SharedTokens();
  for (const feature of features) {
    const often = known.get(feature) ?? [];
    tokens.add(feature, often.length > 0 ? often : peakTokens({ passages: passagesOf(store, source, feature) }));
  }
  return tokens;
}
