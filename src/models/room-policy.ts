/** A model that is in memory. */
export interface Resident {
  readonly name: string;
  /** What it needs: weights, and keys and values up to their limit. */
  readonly bytes: number;
  /** Requests run on it, or wait for it: it is never unloaded. */
  readonly busy: boolean;
  /** When it was last asked for; greater is later. */
  readonly lastUsed: number;
}

/** Who goes to make room. */
export type RoomPlan =
  | { readonly fits: true; readonly unload: readonly string[] }
  | {
      readonly fits: false;
      /** Bytes that are missing even where every idle model goes; `never`: the budget itself is smaller than the model. */
      readonly missing: number;
      readonly never: boolean;
      /** Models that could not go. */
      readonly busy: readonly string[];
    };

/**
 * Makes room for a model of so many bytes within a budget: the idle models that were not asked for for the longest go, one after
 * the other, and no more of them than needed; busy ones never. Where that is not enough nobody goes.
 */
export function planRoom(residents: readonly Resident[], needed: number, budget: number): RoomPlan {
  let used = residents.reduce((sum, { bytes }) => sum + bytes, 0);
  const idle = residents.filter(({ busy }) => !busy).toSorted((a, b) => a.lastUsed - b.lastUsed);
  const going: Resident[] = [];
  for (const resident of idle) {
    if (used + needed <= budget) break;
    going.push(resident);
    used -= resident.bytes;
  }
  if (used + needed > budget) {
    const busy = residents.filter((resident) => resident.busy).map(({ name }) => name);
    return { fits: false, missing: used + needed - budget, never: needed > budget, busy };
  }
  // one that went early may be small enough to stay after all: the last one asked for has the first claim
  const kept = new Set<string>();
  for (const resident of going.toReversed()) {
    if (used + resident.bytes + needed > budget) continue;
    kept.add(resident.name);
    used += resident.bytes;
  }
  return { fits: true, unload: going.filter(({ name }) => !kept.has(name)).map(({ name }) => name) };
}
