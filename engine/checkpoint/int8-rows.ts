/** Rows are turned into columns in stripes of so many, so that writes stay near each other. */
const stripe = 64;
const largestQuantum = 127;

/**
 * Quantises rows of float32 weights to signed 8-bit integers, symmetric, one scale a row (an output channel of a linear layer):
 * scale = max|w| / 127, q = round(w / scale). A row of zeros gets scale 0.
 *
 * @param weights whole rows of `width`, row major
 * @param place where they go: `firstRow` of `rows` in all
 * @param into `values` is the transposed matrix, [width, rows]; `scales` [rows]
 */
export function quantiseRows(
  weights: Float32Array,
  place: { readonly firstRow: number; readonly rows: number; readonly width: number },
  into: { readonly values: Int8Array; readonly scales: Float32Array },
): void {
  const { firstRow, rows, width } = place;
  const count = weights.length / width;
  const inverse = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) largest = Math.max(largest, Math.abs(weights[i] as number));
    const scale = Math.fround(largest / largestQuantum);
    into.scales[firstRow + row] = scale;
    inverse[row] = scale === 0 ? 0 : 1 / scale;
  }
  for (let from = 0; from < count; from += stripe) {
    const to = Math.min(count, from + stripe);
    for (let i = 0; i < width; i++) {
      const column = i * rows + firstRow;
      for (let row = from; row < to; row++) {
        const quantum = Math.round((weights[row * width + i] as number) * (inverse[row] as number));
        into.values[column + row] = Math.max(-largestQuantum, Math.min(largestQuantum, quantum));
      }
    }
  }
}
