import type { Pace } from '../relations/pace.ts';
import type { PairValues } from './cosine-matrix.ts';

/** The column of each row; −1 where it has none. */
export type Matching = Int32Array;

/**
 * Pairs the largest value of all, then the largest of what is left, and so on; equal ones by row. Each row keeps its best column
 * among those that are free and looks for another when that is taken.
 */
export async function greedyMatching({ rows, columns, values }: PairValues, pace: Pace | null): Promise<Matching> {
  const matched: Matching = new Int32Array(rows).fill(-1);
  const taken = new Uint8Array(columns);
  const best = new Int32Array(rows).fill(-1);
  const look = (row: number) => {
    let found = -1;
    for (let column = 0; column < columns; column++) {
      if (taken[column] === 0 && (found < 0 || values[row * columns + column] > values[row * columns + found])) {
        found = column;
      }
    }
    best[row] = found;
  };
  for (let row = 0; row < rows; row++) {
    if (pace?.isDue()) await pace.turn();
    look(row);
  }
  for (let pairs = Math.min(rows, columns); pairs > 0; ) {
    if (pace?.isDue()) await pace.turn();
    let first = -1;
    for (let row = 0; row < rows; row++) {
      if (matched[row] >= 0 || best[row] < 0) continue;
      if (first < 0 || values[row * columns + best[row]] > values[first * columns + best[first]]) first = row;
    }
    if (taken[best[first]] === 1) {
      look(first);
      continue;
    }
    matched[first] = best[first];
    taken[best[first]] = 1;
    pairs--;
  }
  return matched;
}
