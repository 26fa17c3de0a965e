import type { Pace } from '../relations/pace.ts';
import type { PairValues } from './cosine-matrix.ts';
import type { Matching } from './greedy.ts';

/**
 * The one-to-one matching with the largest sum of values, exactly: shortest augmenting paths over reduced costs (Kuhn 1955; Jonker &
 * Volgenant 1987). At most rows² · columns steps; of two dictionaries, whose good pairs are few, a small part of that. `progress` gets the rows done.
 */
export async function optimalMatching(
  pairs: PairValues,
  { pace, progress }: { readonly pace: Pace | null; readonly progress?: (rows: number) => void },
): Promise<Matching> {
  if (pairs.rows > pairs.columns)
    return turned(await optimalMatching(transposed(pairs), { pace, progress }), pairs.rows);
  const { rows, columns, values } = pairs;
  const rowOf = new Int32Array(columns).fill(-1);
  const matched: Matching = new Int32Array(rows).fill(-1);
  const { ofRow, ofColumn, waiting } = await begin(pairs, rowOf, matched, pace);
  const distance = new Float64Array(columns);
  const from = new Int32Array(columns);
  const done = new Uint8Array(columns);
  const toScan = new Int32Array(columns);
  for (const [at, free] of waiting.entries()) {
    // Dijkstra from the free row to the nearest free column, over costs −value − potentials, which are never below 0.
    distance.fill(Number.POSITIVE_INFINITY);
    done.fill(0);
    let [row, column, reached, scanned] = [free, -1, 0, 0];
    for (;;) {
      if (pace?.isDue()) await pace.turn();
      let [next, least] = [-1, Number.POSITIVE_INFINITY];
      const base = reached - ofRow[row];
      const offset = row * columns;
      for (let j = 0; j < columns; j++) {
        if (done[j] === 1) continue;
        const length = base - values[offset + j] - ofColumn[j];
        if (length < distance[j]) {
          distance[j] = length;
          from[j] = row;
        }
        if (distance[j] < least) {
          least = distance[j];
          next = j;
        }
      }
      done[next] = 1;
      toScan[scanned++] = next;
      reached = least;
      column = next;
      if (rowOf[column] < 0) break;
      row = rowOf[column];
    }
    ofRow[free] += reached;
    for (let i = 0; i < scanned - 1; i++) {
      const j = toScan[i];
      ofRow[rowOf[j]] += reached - distance[j];
      ofColumn[j] -= reached - distance[j];
    }
    for (;;) {
      const above = from[column];
      const before = matched[above];
      matched[above] = column;
      rowOf[column] = above;
      if (above === free) break;
      column = before;
    }
    progress?.(rows - waiting.length + at + 1);
  }
  return matched;
}

/** Passes over the rows that are free; a second takes up what the first has loosened. */
const reductions = 2;

/**
 * Potentials under which no reduced cost is below 0, and a matching of pairs whose reduced cost is 0 (Jonker & Volgenant's augmenting
 * row reduction): a row takes its best column, whoever had it, and that column gets dearer by what the second best would cost more.
 */
async function begin({ rows, columns, values }: PairValues, rowOf: Int32Array, matched: Matching, pace: Pace | null) {
  const ofRow = new Float64Array(rows);
  const ofColumn = new Float64Array(columns);
  let waiting = Array.from({ length: rows }, (_, row) => row);
  for (let pass = 0; pass < reductions; pass++) {
    const queue = waiting;
    waiting = [];
    for (let at = 0, taken = 0; at < queue.length; ) {
      if (pace?.isDue()) await pace.turn();
      const row = queue[at];
      let [best, least, second, next] = [-1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1];
      for (let j = 0, from = row * columns; j < columns; j++) {
        const cost = -values[from + j] - ofColumn[j];
        if (cost >= second) continue;
        if (cost < least) {
          second = least;
          next = best;
          least = cost;
          best = j;
        } else {
          second = cost;
          next = j;
        }
      }
      at++;
      if (next < 0) second = least;
      const strict = least < second;
      if (!strict && rowOf[best] >= 0 && next >= 0) best = next;
      const owner = rowOf[best];
      ofColumn[best] -= strict ? second - least : 0;
      [rowOf[best], matched[row]] = [row, best];
      if (owner < 0) continue;
      matched[owner] = -1;
      // The row that lost its column looks again at once, unless that could go round for ever.
      if (strict && taken++ < rows * columns) queue[--at] = owner;
      else waiting.push(owner);
    }
  }
  for (let row = 0; row < rows; row++) {
    const own = matched[row];
    if (own >= 0) ofRow[row] = -values[row * columns + own] - ofColumn[own];
    else {
      let least = Number.POSITIVE_INFINITY;
      for (let j = 0; j < columns; j++) least = Math.min(least, -values[row * columns + j] - ofColumn[j]);
      ofRow[row] = least;
    }
  }
  return { ofRow, ofColumn, waiting };
}

function transposed({ rows, columns, values }: PairValues): PairValues {
  const into = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) into[column * rows + row] = values[row * columns + column];
  }
  return { rows: columns, columns: rows, values: into };
}

function turned(matched: Matching, rows: number): Matching {
  const other: Matching = new Int32Array(rows).fill(-1);
  for (let row = 0; row < matched.length; row++) if (matched[row] >= 0) other[matched[row]] = row;
  return other;
}
