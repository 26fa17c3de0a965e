import type { LogitsRow } from '../../core/step.ts';
import type { AdjustedLogits } from './adjust.ts';

/** What is known of a row without reading all of it: its first tokens in descending order, and bounds for the rest. */
export interface Head {
  /** Descending, ties by ascending token id. */
  readonly logits: ArrayLike<number>;
  readonly tokenIds: ArrayLike<number>;
  /** Logits that are known too but come later. */
  readonly later: ArrayLike<number>;
  /** No other token has a logit above this. */
  readonly edge: number;
  /** The log of the sum of the exponentials of the whole row as the graph gave it, */
  readonly logSumExp: number;
  /** and the logits in it, as the graph gave them, that `logits` and `later` stand for. */
  readonly known: ArrayLike<number>;
}

/** The row as it is. */
export function headOf({ topValues, topTokenIds, logSumExp }: LogitsRow): Head {
  const edge = topValues.at(-1) ?? Number.POSITIVE_INFINITY;
  return { logits: topValues, tokenIds: topTokenIds, later: [], edge, logSumExp, known: topValues };
}

/**
 * The row with adjustments: its largest logits without those that were adjusted, and of the adjusted ones those that lie
 * above the rest. Everything above the edge is known, so the list is a prefix of the adjusted order.
 */
export function adjustedHead(row: LogitsRow, logits: Float32Array, adjusted: AdjustedLogits): Head {
  const { topValues, topTokenIds, logSumExp } = row;
  const edge = topValues.at(-1) ?? Number.POSITIVE_INFINITY;
  const most = adjusted.tokenIds.length + topTokenIds.length;
  const known = new Float64Array(most);
  const later = new Float64Array(most);
  const listed: { readonly id: number; readonly logit: number }[] = [];
  let knownCount = 0;
  let laterCount = 0;
  const list = (id: number, before: number, logit: number) => {
    known[knownCount++] = before;
    // one at the edge may come before or behind others there, of which not all are known
    if (logit > edge) listed.push({ id, logit });
    else later[laterCount++] = logit;
  };
  for (const id of adjusted.tokenIds) list(id, logits[id] as number, adjusted.values[id] as number);
  for (let rank = 0; rank < topTokenIds.length; rank++) {
    const id = topTokenIds[rank] as number;
    const logit = topValues[rank] as number;
    if (!adjusted.has(id)) list(id, logit, logit);
  }
  listed.sort((a, b) => b.logit - a.logit || a.id - b.id);
  return {
    logits: listed.map(({ logit }) => logit),
    tokenIds: listed.map(({ id }) => id),
    later: later.subarray(0, laterCount),
    edge,
    logSumExp,
    known: known.subarray(0, knownCount),
  };
}
