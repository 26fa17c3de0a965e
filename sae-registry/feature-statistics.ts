import { residentBytes } from './dictionary.ts';
import { maxActivations, type Store } from './store/index.ts';

/** What steering needs of a source's statistics, in memory as they were when the source was opened. */
export interface FeatureStatistics {
  /** Of the runs or files that they are from, joined by `+`: other figures, other version. */
  readonly version: string;
  /** Memory that its arrays hold. */
  readonly residentBytes: number;
  /** p999 of a feature; null where there are no statistics of it. */
  maxActivation(index: number): number | null;
}

/** The statistics of a source; null where the store has none. */
export function readFeatureStatistics(store: Store, source: number, features: number): FeatureStatistics | null {
  const { values, versions } = maxActivations(store, source, features);
  if (versions.length === 0) return null;
  return {
    version: versions.join('+'),
    residentBytes: residentBytes([values]),
    maxActivation: (index) => {
      const value = values[index] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    },
  };
}
