/**
 * Where rows lie in the KV cache. A decode step takes one contiguous range of slots (GroupQueryAttention wants that), so
 * the rows that decode hold slots 0 … n−1 before every one; rows that prefill hold any others. Where that does not hold,
 * rows are copied. There is one slot more than rows, so that a row can always make way.
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

/** A prompt up to this length is put where it will decode, even if others may come between and it has to make way. */
export const shortPrompt = 512;

/**
 * The next copy that brings the decoding rows closer to slots 0 … n−1; null when they lie there. Every decoding row beyond
 * the range moves once, into a hole; a prefilling row moves only when it is in the way, and then to the highest free slot.
 *
 * @param slots number of slots, at least one more than rows
 */
export function nextMove<Row extends SlotRow>(
  decoding: readonly Row[],
  prefilling: readonly Row[],
  slots: number,
): { readonly row: Row; readonly to: number } | null {
  const beyond = decoding.find((row) => row.slot >= decoding.length);
  if (!beyond) return null;
  const holders = new Map<number, Row>();
  for (const row of prefilling) holders.set(row.slot, row);
  const taken = new Set(decoding.map((row) => row.slot));
  let inTheWay: Row | null = null;
  for (let slot = 0; slot < decoding.length; slot++) {
    if (taken.has(slot)) continue;
    const holder = holders.get(slot);
    if (!holder) return { row: beyond, to: slot };
    inTheWay ??= holder;
  }
  for (const slot of holders.keys()) taken.add(slot);
  const free = highestFree(taken, slots);
  if (!inTheWay || free === null) throw new Error('a row has to move and there is no slot for it');
  return { row: inTheWay, to: free };
}

/**
 * The slot for a new prompt. A hole in the decode range when the prompt is read in one step: it fills the hole when it
 * joins, and nobody moves. Else slot n, where it will decode, if it is free and the prompt short or nobody else waits who
 * could want it earlier; else the highest free one.
 */
export function chooseSlot(state: {
  readonly decodeRows: number;
  readonly taken: ReadonlySet<number>;
  readonly slots: number;
  readonly tokens: number;
  readonly oneStep: boolean;
  /** Nobody else prefills or waits. */
  readonly alone: boolean;
}): number {
  const { decodeRows, taken, slots, tokens, oneStep, alone } = state;
  if (oneStep) {
    for (let slot = 0; slot < decodeRows; slot++) if (!taken.has(slot)) return slot;
  }
  if (!taken.has(decodeRows) && (alone || tokens <= shortPrompt)) return decodeRows;
  const free = highestFree(taken, slots);
  if (free === null) throw new Error('a prompt is to start and there is no slot for it');
  return free;
}

/** Where rows may lie anywhere: as low as possible, so that memory is used again. */
export function lowestFree(taken: ReadonlySet<number>): number {
  let slot = 0;
  while (taken.has(slot)) slot++;
  return slot;
}

function highestFree(taken: ReadonlySet<number>, slots: number): number | null {
  for (let slot = slots - 1; slot >= 0; slot--) if (!taken.has(slot)) return slot;
  return null;
}

/**
 * Copies rows until those that decode hold slots 0 … n−1, and frees what they leave. A row whose copy fails is given up
 * alone: it comes back under `failed` and the others close up without it. Rows that are in no list any more hold no slot.
 */
export async function arrange<Row extends SlotRow>(
  decoding: readonly Row[],
  prefilling: readonly Row[],
  slots: number,
  store: SlotStore,
): Promise<{ readonly decoding: Row[]; readonly prefilling: Row[]; readonly failed: { row: Row; error: unknown }[] }> {
  let kept = { decoding: [...decoding], prefilling: [...prefilling] };
  const failed: { row: Row; error: unknown }[] = [];
  const vacated = new Set<number>();
  for (;;) {
    const move = nextMove(kept.decoding, kept.prefilling, slots);
    if (!move) break;
    const { row, to } = move;
    vacated.add(row.slot);
    try {
      await store.copySlot(row.slot, to, row.tokens);
      row.slot = to;
    } catch (error) {
      failed.push({ row, error });
      vacated.add(to);
      const others = (rows: readonly Row[]) => rows.filter((other) => other !== row);
      kept = { decoding: others(kept.decoding), prefilling: others(kept.prefilling) };
    }
  }
  // last, since a copy may have filled a slot that another left
  for (const row of [...kept.decoding, ...kept.prefilling]) vacated.delete(row.slot);
  for (const slot of vacated) store.freeSlot(slot);
  return { decoding: kept.decoding.sort((a, b) => a.slot - b.slot), prefilling: kept.prefilling, failed };
}
