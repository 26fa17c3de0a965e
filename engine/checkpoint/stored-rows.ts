import { storedRow } from './interleaved-rows.ts';
import type { LocalFile } from './local-file.ts';
import type { RowRange } from './row-pieces.ts';
import type { StoredTensor } from './tensor.ts';

/** Rows of a matrix as the file holds them. */
export interface StoredRows extends RowRange {
  readonly encoded: Uint8Array;
  /** Which row of `encoded` a row of the matrix, counted from its beginning, is. */
  storedAt(row: number): number;
}

/**
 * Reads the bytes of rows of a matrix, of all of them where no range is given. Where llama.cpp reordered the rows of heads
 * (interleaved-rows.ts), the heads that the range touches are read whole.
 */
export async function readStoredRows(file: LocalFile, tensor: StoredTensor, range?: RowRange): Promise<StoredRows> {
  const [rows = 0] = tensor.shape;
  const { first, count } = range ?? { first: 0, count: rows };
  const headDim = tensor.interleavedHeads === null ? 1 : rows / tensor.interleavedHeads;
  const from = Math.floor(first / headDim) * headDim;
  const to = Math.ceil((first + count) / headDim) * headDim;
  const rowBytes = tensor.byteLength / rows;
  const encoded = new Uint8Array((to - from) * rowBytes);
  await file.read(tensor.offset + from * rowBytes, encoded);
  return { first, count, encoded, storedAt: (row) => (headDim === 1 ? row : storedRow(row, headDim)) - from };
}
