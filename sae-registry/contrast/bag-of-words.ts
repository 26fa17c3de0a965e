import type { Pace } from '../relations/pace.ts';
import type { Auroc } from './auroc.ts';
import { aurocOf } from './held-out.ts';
import { logisticProbe } from './logistic.ts';
import { type SparseRow, sparseRows } from './rows.ts';

/** Strength of the penalty on rows of unit length, as is usual for texts: C = 10. */
const penalty = 0.1;

/**
 * How well the words alone tell the classes apart on the same folds: a logistic regression over which tokens a text has, each row scaled
 * to unit length. A model's direction that does no better has found words, not behaviour.
 */
export async function bagOfWords(
  texts: readonly ArrayLike<number>[],
  { folds, positive }: { readonly folds: Uint8Array; readonly positive: readonly boolean[] },
  pace: Pace | null,
): Promise<Auroc> {
  const columns = new Map<number, number>();
  const rows: SparseRow[] = texts.map((tokens) => {
    const present = new Set<number>();
    for (const token of Array.from(tokens)) {
      const column = columns.get(token) ?? columns.size;
      columns.set(token, column);
      present.add(column);
    }
    const value = 1 / Math.sqrt(Math.max(1, present.size));
    return { columns: Uint32Array.from(present), values: new Float32Array(present.size).fill(value) };
  });
  const matrix = sparseRows(rows, columns.size);
  const scores = new Float64Array(texts.length);
  const all = Array.from(texts.keys());
  for (const fold of new Set(folds)) {
    const others = all.filter((at) => folds[at] !== fold);
    const own = all.filter((at) => folds[at] === fold);
    const known = others.map((at) => positive[at]);
    const weights = await logisticProbe(matrix.only(others), known, penalty, pace);
    const products = await matrix.only(own).times(weights, pace);
    for (const [at, item] of own.entries()) scores[item] = products[at];
  }
  return aurocOf(scores, positive);
}
