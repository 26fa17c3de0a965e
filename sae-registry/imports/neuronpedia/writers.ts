import type { z } from 'zod';
import {
  examplesOf,
  type FeatureExample,
  type Store,
  stageLabels,
  writeExamples,
  writeStatistics,
} from '../../store/index.ts';
import type { ExportKind } from './files.ts';
import type { OwnedRow } from './ownership.ts';
import {
  type ActivationRow,
  activationRow,
  type ExplanationRow,
  explanationRow,
  type FeatureRow,
  featureRow,
  toExample,
  toFigures,
  toLabel,
} from './rows.ts';

/** The strongest passages of a feature that are kept; an export has dozens. */
const keptExamples = 20;

/** Puts rows of one kind into the store. */
export interface RowWriter {
  readonly schema: z.ZodType<OwnedRow>;
  /** What comes next is of this artifact. */
  begin(artifact: number): void;
  /** In the caller's transaction. */
  write(rows: readonly OwnedRow[]): void;
}

export type Writers = Readonly<Record<ExportKind, RowWriter>> & {
  readonly counts: { features: number; labels: number; examples: number; withoutHistogram: number };
  /** Call it in any case. */
  close(): void;
};

/** Writers of each kind of rows of one import, with what they have written. */
export function createWriters(store: Store, source: number, version: string): Writers {
  const counts = { features: 0, labels: 0, examples: 0, withoutHistogram: 0 };
  const staged = stageLabels(store);
  let artifact = 0;
  const begin = (next: number) => {
    artifact = next;
  };
  /** Artifacts of this import's passages: a feature's own are added to, others' are replaced. */
  const passages = new Set<number>();
  return {
    counts,
    close: () => staged.close(),
    features: {
      schema: featureRow,
      begin,
      write(rows) {
        const figures = (rows as FeatureRow[]).map(toFigures);
        const known = figures.filter((one) => one !== null);
        writeStatistics(store, { source, version, artifact }, known);
        counts.features += known.length;
        counts.withoutHistogram += figures.length - known.length;
      },
    },
    explanations: {
      schema: explanationRow,
      begin,
      write(rows) {
        staged.add((rows as ExplanationRow[]).map(toLabel));
        const { added, updated } = staged.commit(source, artifact);
        counts.labels += added + updated;
      },
    },
    activations: {
      schema: activationRow,
      begin(next) {
        begin(next);
        passages.add(next);
      },
      write(rows) {
        const byFeature = new Map<number, FeatureExample[]>();
        for (const row of rows as ActivationRow[]) {
          const list = byFeature.get(row.index) ?? [];
          if (row.maxValue > 0) list.push(toExample(row));
          byFeature.set(row.index, list);
        }
        for (const [feature, examples] of byFeature) {
          const kept = [...own(feature), ...examples].toSorted((a, b) => b.peak - a.peak).slice(0, keptExamples);
          writeExamples(store, { source, artifact }, [[feature, kept]]);
          counts.examples += examples.length;
        }
      },
    },
  };

  /** Passages of a feature that this import wrote before. */
  function own(feature: number): FeatureExample[] {
    const sql = 'select artifact from examples where source = ? and feature = ? limit 1';
    const by = store.connection.prepare(sql).pluck().get(source, feature);
    return passages.has(Number(by)) ? examplesOf(store, source, feature) : [];
  }
}
