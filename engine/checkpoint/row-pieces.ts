import type { Checkpoint } from './checkpoint.ts';
import { elementCount } from './tensor.ts';

/** Whole rows of a matrix as float32. `values` is overwritten when the next ones are asked for. */
export interface RowPiece {
  /** Index of the first row. */
  readonly first: number;
  readonly rows: number;
  /** [rows, width] */
  readonly values: Float32Array;
}

/** A run of rows of a matrix. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Elements of a run: an unembedding of a quarter of a million tokens is 2 GB as float32, and is not held whole. */
const rangeElements = 2 ** 20;

/** A matrix cut into runs of rows of about a million elements, in order. */
export function rowRanges(rows: number, width: number, elements = rangeElements): RowRange[] {
  const step = Math.max(1, Math.floor(elements / Math.max(1, width)));
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => {
    return { first: i * step, count: Math.min(step, rows - i * step) };
  });
}

/** A matrix in pieces of whole rows, in order: `readPieces` cuts where it likes. */
export async function* readRowPieces(checkpoint: Checkpoint, name: string): AsyncGenerator<RowPiece> {
  const shape = checkpoint.tensors.get(name)?.shape ?? [0];
  const [rows = 1] = shape;
  const width = elementCount(shape) / rows;
  /** The beginning of a row whose end is in the next piece. */
  const begun = new Float32Array(width);
  let filled = 0;
  let first = 0;
  for await (const { values } of checkpoint.readPieces(name)) {
    let at = 0;
    if (filled > 0) {
      at = Math.min(width - filled, values.length);
      begun.set(values.subarray(0, at), filled);
      filled += at;
      if (filled < width) continue;
      yield { first, rows: 1, values: begun };
      first++;
      filled = 0;
    }
    const whole = Math.floor((values.length - at) / width);
    const end = at + whole * width;
    if (whole > 0) yield { first, rows: whole, values: values.subarray(at, end) };
    first += whole;
    filled = values.length - end;
    begun.set(values.subarray(end));
  }
}
