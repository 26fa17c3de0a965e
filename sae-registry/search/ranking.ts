import type { LabelTable } from './label-table.ts';

export interface Ranked {
  readonly slot: number;
  readonly score: number;
}

/** The best of the slots by their scores, best first; then the clearer label, the lower source and feature. */
export function bestOf(slots: readonly number[], scores: Float32Array, table: LabelTable, most: number): Ranked[] {
  let chosen = slots;
  if (slots.length > most * 2) {
    const sorted = Float32Array.from(slots, (slot) => scores[slot] as number).sort();
    const least = rounded(sorted[sorted.length - most] as number);
    chosen = slots.filter((slot) => rounded(scores[slot] as number) >= least);
  }
  return chosen
    .map((slot) => ({ slot, score: rounded(scores[slot] as number) }))
    .sort((a, b) => b.score - a.score || byStanding(table, a.slot, b.slot))
    .slice(0, most);
}

/** Of two labels of one score: the clearer first, then the lower source, feature and label. */
export function byStanding(table: LabelTable, a: number, b: number): number {
  return (
    clarity(table, b) - clarity(table, a) ||
    table.sources.at(a) - table.sources.at(b) ||
    table.features.at(a) - table.features.at(b) ||
    a - b
  );
}

function clarity(table: LabelTable, slot: number): number {
  const value = table.clarities.at(slot);
  return Number.isNaN(value) ? 0 : value;
}

/** So that equal labels tie whatever order their sums were taken in. */
export function rounded(score: number): number {
  return Math.round(score * 1e5) / 1e5;
}
