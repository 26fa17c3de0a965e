import type { SparseActivations } from '../../engine/core/index.ts';

/** What one feature did on tokens that count. */
export interface FeatureTotal {
  readonly index: number;
  readonly max: number;
  /** Over all tokens that count, those on which it is silent too. */
  readonly mean: number;
  readonly sum: number;
  /** On how many tokens it is active. */
  readonly count: number;
  /** On the last token that counts; 0 where it is silent there. */
  readonly last: number;
  /** count over the number of tokens that count. */
  readonly frequency: number;
  /** The token of its maximum, the first of equal ones; null where it is silent. */
  readonly position: number | null;
}

/** By what features of a text are ranked. */
export const totalRankings = ['max', 'mean', 'sum', 'count', 'last', 'frequency'] as const;
export type TotalRanking = (typeof totalRankings)[number];

interface Running {
  max: number;
  sum: number;
  count: number;
  position: number;
  last: number;
  lastAt: number;
}

/** Adds up what features do on a text, which may come in pieces. */
export class FeatureTotals {
  readonly #features = new Map<number, Running>();
  #tokens = 0;
  #lastAt = -1;

  /** Tokens that counted so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /** The next piece, its first token at position `start`; `counted` says which of its tokens count. */
  add({ tokens, offsets, indices, values }: SparseActivations, counted: readonly boolean[], start: number): void {
    for (let t = 0; t < tokens; t++) {
      if (!counted[t]) continue;
      this.#tokens++;
      this.#lastAt = start + t;
      for (let at = offsets[t] as number; at < (offsets[t + 1] as number); at++) {
        this.#count(indices[at] as number, values[at] as number, start + t);
      }
    }
  }

  /** What every feature did that fired, in no order. */
  all(): FeatureTotal[] {
    return Array.from(this.#features.keys(), (index) => this.of(index));
  }

  /** What one feature did, fired or not. */
  of(index: number): FeatureTotal {
    const found = this.#features.get(index);
    if (!found) return { index, max: 0, mean: 0, sum: 0, count: 0, last: 0, frequency: 0, position: null };
    const { max, sum, count, position, last, lastAt } = found;
    const over = this.#tokens;
    return {
      ...{ index, max, mean: sum / over, sum, count, position, frequency: count / over },
      last: lastAt === this.#lastAt ? last : 0,
    };
  }

  #count(index: number, value: number, position: number): void {
    const known = this.#features.get(index);
    if (!known) {
      this.#features.set(index, { max: value, sum: value, count: 1, position, last: value, lastAt: position });
      return;
    }
    known.sum += value;
    known.count++;
    known.last = value;
    known.lastAt = position;
    if (value > known.max) {
      known.max = value;
      known.position = position;
    }
  }
}

/** The first `limit` features; of equal ones those with the greater maximum, then the lower index. */
export function rankTotals<Total extends Pick<FeatureTotal, 'index' | 'max'>>(
  features: readonly Total[],
  by: keyof Total & TotalRanking,
  limit: number,
): Total[] {
  const value = (feature: Total) => feature[by] as number;
  return features.toSorted((a, b) => value(b) - value(a) || b.max - a.max || a.index - b.index).slice(0, limit);
}
