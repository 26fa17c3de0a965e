/** Logits in descending order, ties by ascending token id. Both ways of sampling read a distribution through this. */
export interface DescendingLogits {
  /** Whether the end of this list is the end of all tokens that can be chosen. */
  readonly complete: boolean;
  /** Logit at a rank; undefined past the end. */
  logit(rank: number): number | undefined;
  tokenId(rank: number): number;
}

/** The largest logits as the graph returned them (core `LogitsRow`). */
export function descendingTop(values: Float32Array, tokenIds: Int32Array): DescendingLogits {
  return { complete: false, logit: (rank) => values[rank], tokenId: (rank) => tokenIds[rank] ?? -1 };
}

/**
 * A whole row, sorted only as far as it is read: at first the tokens within 4 of the largest logit, then within 8, 16 and
 * so on. Tokens at −∞ are left out; they cannot be chosen.
 */
export function descendingFull(logits: Float32Array, largest: number): DescendingLogits {
  let width = 4;
  let order = sortedAbove(logits, largest - width);
  let sortedAll = false;
  const reach = (rank: number) => {
    while (rank >= order.length && !sortedAll) {
      width *= 2;
      sortedAll = width > 1e4;
      order = sortedAbove(logits, sortedAll ? Number.NEGATIVE_INFINITY : largest - width);
    }
    return order[rank];
  };
  return {
    complete: true,
    logit: (rank) => {
      const id = reach(rank);
      return id === undefined ? undefined : logits[id];
    },
    tokenId: (rank) => reach(rank) ?? -1,
  };
}

function sortedAbove(logits: Float32Array, threshold: number): number[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (logit >= threshold && logit !== Number.NEGATIVE_INFINITY) ids.push(id);
  }
  return ids.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
}
