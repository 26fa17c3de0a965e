/** A prefix of the descending order: how many tokens, and what they weigh together. */
export interface Prefix {
  readonly count: number;
  readonly mass: number;
}

/**
 * Tokens in descending order of their logits l, ties by ascending id, with weights w = exp((l − l₀)/T), l₀ the largest. Both
 * ways of sampling, from the largest logits and from a whole row, read a distribution through this. What the known tokens
 * cannot settle is null.
 */
export interface Ranking {
  tokenId(rank: number): number;
  /** The tokens that weigh at least so much, `limit` of them at most. */
  heaviest(least: number, limit: number): Prefix | null;
  /**
   * The fewest first tokens that together weigh `mass` or more (with `beyond`: more), `limit` of them at most; all tokens
   * where rounding leaves them short.
   */
  reaching(mass: number, limit: number, beyond: boolean): Prefix | null;
}

/** The first tokens of the order, listed one by one; of the others it is only known that they come later. */
export class ListedRanking implements Ranking {
  readonly #tokenIds: ArrayLike<number>;
  readonly #weights: Float64Array;

  constructor(logits: ArrayLike<number>, tokenIds: ArrayLike<number>, temperature: number) {
    this.#tokenIds = tokenIds;
    const largest = logits[0] ?? 0;
    this.#weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  }

  tokenId(rank: number): number {
    return this.#tokenIds[rank] ?? -1;
  }

  heaviest(least: number, limit: number): Prefix | null {
    let mass = 0;
    for (let rank = 0; rank < limit; rank++) {
      const weight = this.#weights[rank];
      if (weight === undefined) return null;
      if (weight < least) return { count: rank, mass };
      mass += weight;
    }
    return { count: limit, mass };
  }

  reaching(target: number, limit: number, beyond: boolean): Prefix | null {
    let mass = 0;
    for (let rank = 0; rank < limit; rank++) {
      const weight = this.#weights[rank];
      if (weight === undefined) return null;
      mass += weight;
      if (beyond ? mass > target : mass >= target) return { count: rank + 1, mass };
    }
    return { count: limit, mass };
  }
}
