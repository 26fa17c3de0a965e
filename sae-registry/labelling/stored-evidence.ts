import { asc, eq } from 'drizzle-orm';
import { examplesOf, type Store, statisticsOf } from '../store/index.ts';
import { examples, statistics } from '../store/schema.ts';
import type { NegativePool } from './negatives.ts';
import type { Evidence } from './passage.ts';
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
  const passages = (feature: number) => examplesOf(store, source, feature);
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
      const figures = statisticsOf(store, source, feature);
      const { topLogits = [], topTokens = [] } = figures ?? {};
      return { feature, passages: passages(feature), topLogits, topTokens };
    },
  };
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
    tokens.add(feature, often.length > 0 ? often : peakTokens({ passages: examplesOf(store, source, feature) }));
  }
  return tokens;
}
