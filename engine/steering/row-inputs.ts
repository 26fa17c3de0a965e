import type { Edit, EditReading } from '../core/edit.ts';
import type { MaskedEdit } from './reference.ts';

/** Order of the rows of `parameters` along axis 1: the contract with the graph's edit port. */
export const editParameterOrder = [
  'bias',
  'threshold',
  'beta',
  'gamma',
  'low',
  'high',
  'activeAbove',
  'sinkNorm',
] as const;

/** Stands for infinity in a graph, where 0 · ∞ would be NaN. */
export const largestFinite = 3.0e38;

/** The edits of a step at one hook point, flat and row major. B rows, S tokens a row, K edits a row (padded). */
export interface PackedEdits {
  readonly k: number;
  /** [B, K, dModel] */
  readonly read: Float32Array;
  /** [B, K, dModel] */
  readonly write: Float32Array;
  /** [B, 8, K], in `editParameterOrder`. */
  readonly parameters: Float32Array;
  /** [B, S, K] */
  readonly mask: Float32Array;
}

export interface EditRow {
  /** The row's edits at this hook point. */
  readonly edits: readonly MaskedEdit[];
}

/** What the graph gives back for one hook point. */
export interface PackedReadings {
  /** [B, S, K] each. */
  readonly coefficient: Float32Array;
  readonly gate: Float32Array;
  readonly readingBefore: Float32Array;
  readonly readingAfter: Float32Array;
  /** [B, S] */
  readonly streamNorm: Float32Array;
}

/**
 * Packs the rows of a step for one hook point. K is the largest number of edits of any row, at least 1; what is missing is
 * padding whose mask, directions and coefficient are zero, so that it changes nothing. Infinities become ±3e38.
 *
 * @param tokens S, tokens of each row: every mask must have that length.
 */
export function packEditPort(rows: readonly EditRow[], tokens: number, dModel: number): PackedEdits {
  const k = Math.max(1, ...rows.map(({ edits }) => edits.length));
  const packed: PackedEdits = {
    k,
    read: new Float32Array(rows.length * k * dModel),
    write: new Float32Array(rows.length * k * dModel),
    parameters: new Float32Array(rows.length * editParameterOrder.length * k),
    mask: new Float32Array(rows.length * tokens * k),
  };
  rows.forEach(({ edits }, row) => {
    for (let slot = 0; slot < k; slot++) {
      const masked = edits[slot];
      parametersOf(masked?.edit ?? null).forEach((value, at) => {
        packed.parameters[(row * editParameterOrder.length + at) * k + slot] = value;
      });
      if (!masked) continue;
      const { edit, mask } = masked;
      if (mask.length !== tokens || edit.write.length !== dModel)
        throw new RangeError('edit of another shape than its step');
      if (edit.read !== null) packed.read.set(edit.read.direction, (row * k + slot) * dModel);
      packed.write.set(edit.write, (row * k + slot) * dModel);
      for (let t = 0; t < tokens; t++) packed.mask[(row * tokens + t) * k + slot] = mask[t] as number;
    }
  });
  return packed;
}

/**
 * The readings of a step at one hook point, row by row and edit by edit, in the order they were packed. A token that
 * positions wanted and that was left alone because ‖x‖ > sinkNorm is a sink.
 */
export function unpackReadings(packed: PackedReadings, rows: readonly EditRow[], tokens: number): EditReading[][] {
  const k = Math.max(1, ...rows.map(({ edits }) => edits.length));
  return rows.map(({ edits }, row) => {
    const streamNorm = packed.streamNorm.slice(row * tokens, (row + 1) * tokens);
    return edits.map(({ edit, mask }, slot) => {
      const column = (values: Float32Array) =>
        Float32Array.from({ length: tokens }, (_, t) => values[(row * tokens + t) * k + slot] as number);
      const nothing = new Float32Array(tokens);
      const gate = column(packed.gate);
      // The graph compared with the float32 parameter, so that is what counts here.
      const sinkNorm = finite(edit.sinkNorm);
      return {
        gate,
        sink: gate.map((g, t) => ((streamNorm[t] as number) > sinkNorm ? (mask[t] as number) - g : 0)),
        coefficient: column(packed.coefficient),
        readingBefore: edit.read === null ? nothing : column(packed.readingBefore),
        readingAfter: edit.read === null ? nothing : column(packed.readingAfter),
        streamNorm,
      };
    });
  });
}

/** In `editParameterOrder`; null is padding. */
function parametersOf(edit: Edit | null): readonly number[] {
  if (edit === null) return [0, 0, 0, 0, -largestFinite, largestFinite, -largestFinite, largestFinite];
  const { read, coefficient } = edit;
  const values = {
    bias: read?.bias ?? 0,
    threshold: read?.threshold ?? 0,
    ...coefficient,
    activeAbove: edit.activeAbove,
    sinkNorm: edit.sinkNorm,
  };
  return editParameterOrder.map((name) => finite(values[name]));
}

/** As float32, ±∞ as ±3e38. NaN has no place in an edit. */
function finite(value: number): number {
  if (Number.isNaN(value)) throw new RangeError('an edit with a value that is not a number');
  return Math.fround(Math.max(-largestFinite, Math.min(largestFinite, value)));
}
