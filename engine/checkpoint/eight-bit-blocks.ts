import { TillerError } from '../core/index.ts';
import { blockWidth } from './four-bit-blocks.ts';
import { halfToFloat } from './half-float.ts';
import type { LocalFile } from './local-file.ts';
import type { RowRange } from './row-pieces.ts';
import { readStoredRows } from './stored-rows.ts';
import { blockLayouts, type StoredTensor } from './tensor.ts';

/**
 * A Q8_0 matrix [rows, width] taken apart, its weights unchanged: ggml stores w = d·q for blocks of 32 with q in −128…127 and d in
 * float16. Here w = scale·(q − 128) with unsigned q, as ONNX Runtime's MatMulNBits wants it.
 */
export interface EightBitBlocks {
  readonly rows: number;
  readonly width: number;
  /** [rows, width / 32, 32] */
  readonly quants: Uint8Array;
  /** [rows, width / 32] */
  readonly scales: Float32Array;
  /** The same as they are stored, float16 bits. */
  readonly halfScales: Uint16Array;
}

/** Turns a signed byte into an unsigned one that is 128 larger. */
const signBit = 0x80;

/** Reads a Q8_0 matrix, or some of its rows, with Hugging Face's order of rows; null for any other type. */
export async function readEightBitBlocks(
  file: LocalFile,
  tensor: StoredTensor,
  range?: RowRange,
): Promise<EightBitBlocks | null> {
  if (tensor.type !== 'Q8_0' || tensor.shape.length !== 2) return null;
  const [, width = 0] = tensor.shape;
  const perRow = width / blockWidth;
  if (!Number.isInteger(perRow)) throw new TillerError('internal', `${tensor.name} has rows of broken blocks.`);
  const { first, count: rows, encoded, storedAt } = await readStoredRows(file, tensor, range);
  const quants = new Uint8Array(rows * width);
  const scales = new Float32Array(rows * perRow);
  const halfScales = new Uint16Array(rows * perRow);
  const { bytes } = blockLayouts.Q8_0;
  for (let row = 0; row < rows; row++) {
    const stored = storedAt(first + row);
    for (let b = 0; b < perRow; b++) {
      const at = (stored * perRow + b) * bytes;
      const to = row * perRow + b;
      halfScales[to] = (encoded[at] as number) | ((encoded[at + 1] as number) << 8);
      scales[to] = halfToFloat(halfScales[to] as number);
      for (let i = 0; i < blockWidth; i++) quants[to * blockWidth + i] = (encoded[at + 2 + i] as number) ^ signBit;
    }
  }
  return { rows, width, quants, scales, halfScales };
}
