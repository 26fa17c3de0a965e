/** Random numbers that are the same for the same seed, whatever the machine (splitmix32). */
export interface SeededRandom {
  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number;
  /** The items in random order, as a new list. */
  shuffled<T>(items: readonly T[]): T[];
}

/** `seed` and whatever else tells one draw from another, such as a feature's index. */
export function seededRandom(...seeds: readonly number[]): SeededRandom {
  let state = seeds.reduce((mixed, seed) => mix((mixed + seed + 0x9e3779b9) | 0), 0);
  const below = (limit: number) => {
    state = (state + 0x9e3779b9) | 0;
    return Math.floor((mix(state) / 2 ** 32) * limit);
  };
  return {
    below,
    shuffled: (items) => {
      const order = [...items];
      for (let last = order.length - 1; last > 0; last--) {
        const other = below(last + 1);
        const moved = order[last] as (typeof order)[number];
        order[last] = order[other] as (typeof order)[number];
        order[other] = moved;
      }
      return order;
    },
  };
}

function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
