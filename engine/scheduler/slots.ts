/**
 * Where rows lie in the KV cache. A decode batch is one contiguous range of slots, so the rows that decode hold slots
 * 0 … n−1 before every step and the row that prefills holds one above them. A row that leaves opens a hole, which is
 * filled by copying in the row that lies beyond the range.
 *
 * Why one prefilling row never stands in the way: it takes slot n, the lowest free one, and until it has joined the
 * decoding rows n can only shrink.
 */
import type { Executor } from '../core/step.ts';

/** The cache operations needed here; core/step.ts `Executor` has them. */
export type SlotStore = Pick<Executor, 'copySlot' | 'freeSlot'>;

/** A row that holds a slot. */
export interface SlotRow {
  readonly requestId: string;
  slot: number;
  /** Tokens in the slot: the position of the next input token. */
  tokens: number;
}

/** A copy that brings the decoding rows closer to slots 0 … n−1; null when they lie there already. */
export function nextMove(rows: readonly SlotRow[]): { readonly row: SlotRow; readonly to: number } | null {
  const row = rows.find((candidate) => candidate.slot >= rows.length);
  if (!row) return null;
  const taken = new Set(rows.map((candidate) => candidate.slot));
  for (let to = 0; to < rows.length; to++) if (!taken.has(to)) return { row, to };
  throw new Error('a row lies beyond the decode range, yet the range has no hole');
}

/**
 * Copies rows until they hold slots 0 … n−1, and returns them in that order. A row whose copy fails is given up alone: it
 * comes back under `failed` and the others close up without it.
 */
export function compact<Row extends SlotRow>(
  rows: readonly Row[],
  store: SlotStore,
): { readonly rows: Row[]; readonly failed: { readonly row: Row; readonly error: unknown }[] } {
  let kept = [...rows];
  const failed: { row: Row; error: unknown }[] = [];
  for (let move = nextMove(kept); move; move = nextMove(kept)) {
    const { row: moving, to } = move;
    try {
      store.copySlot(moving.slot, to, moving.tokens);
      moving.slot = to;
    } catch (error) {
      const row = kept.find((candidate) => candidate === moving);
      if (row) failed.push({ row, error });
      kept = kept.filter((candidate) => candidate !== moving);
    }
  }
  return { rows: kept.sort((a, b) => a.slot - b.slot), failed };
}
