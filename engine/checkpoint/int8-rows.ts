const largestQuantum = 127;

/** Rows of weights as signed 8-bit integers: w = scale·q. */
export interface QuantisedRows {
  /** [rows, width] */
  readonly quanta: Int8Array;
  /** [rows] */
  readonly scales: Float32Array;
}

/**
 * Quantises rows of float32 weights to signed 8-bit integers, symmetric, one scale a row (an output channel of a linear layer):
 * scale = max|w| / 127, q = round(w / scale). A row of zeros gets scale 0.
 *
 * @param weights whole rows of `width`, row major
 */
export function quantiseRows(weights: Float32Array, width: number): QuantisedRows {
  const rows = weights.length / width;
  const quanta = new Int8Array(weights.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const from = row * width;
    let largest = 0;
    for (let i = from; i < from + width; i++) largest = Math.max(largest, Math.abs(weights[i] as number));
    const scale = Math.fround(largest / largestQuantum);
    scales[row] = scale;
    if (scale === 0) continue;
    const inverse = 1 / scale;
    for (let i = from; i < from + width; i++) {
      const quantum = Math.round((weights[i] as number) * inverse);
      quanta[i] = Math.max(-largestQuantum, Math.min(largestQuantum, quantum));
    }
  }
  return { quanta, scales };
}

/** Rows are turned into columns in stripes of so many, so that writes stay near each other. */
const stripe = 64;

/** Puts rows [count, width] into columns of a matrix [width, rows], from column `firstRow` on. */
export function placeColumns(
  quanta: Int8Array,
  { firstRow, rows, width }: { readonly firstRow: number; readonly rows: number; readonly width: number },
  into: Int8Array,
): void {
  const count = quanta.length / width;
  for (let from = 0; from < count; from += stripe) {
    const to = Math.min(count, from + stripe);
    for (let i = 0; i < width; i++) {
      const column = i * rows + firstRow;
      for (let row = from; row < to; row++) into[column + row] = quanta[row * width + i] as number;
    }
  }
}
