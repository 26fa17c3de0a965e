import { TillerError } from '../core/index.ts';
import { halfAt } from './half-float.ts';
import type { LocalFile } from './local-file.ts';
import type { RowRange } from './row-pieces.ts';
import { readStoredRows } from './stored-rows.ts';
import { blockLayouts, type StoredTensor } from './tensor.ts';

/**
 * A Q4_1 or Q4_0 matrix [rows, width] taken apart, its weights unchanged: ggml stores w = d·q + m for blocks of 32 with q in 0…15 and
 * d, m in float16, or, in Q4_0, w = d·(q − 8). Here w = scale·(q − 8) + offset, with offset = m + 8·d in float32 (0 in Q4_0), so that
 * the first part is what ONNX Runtime's MatMulNBits computes and the second a product of block sums.
 */
export interface FourBitBlocks {
  readonly rows: number;
  readonly width: number;
  /** [rows, width / 32, 16]: element 2i of a block in the low half of byte i, 2i + 1 in the high half. */
  readonly quants: Uint8Array;
  /** [rows, width / 32] */
  readonly scales: Float32Array;
  /** [rows, width / 32] */
  readonly offsets: Float32Array;
  /** d and m as they are stored, float16 bits, [rows, width / 32]; m is 0 in Q4_0, which has none. */
  readonly halves: { readonly scales: Uint16Array; readonly minima: Uint16Array };
}

/** Weights of one block, in both layouts. */
export const blockWidth = 32;
const quantBytes = blockWidth / 2;
const zeroPoint = 8;

/** Reads a Q4_1 or Q4_0 matrix, or some of its rows, with Hugging Face's order of rows; null for any other type. */
export async function readFourBitBlocks(
  file: LocalFile,
  tensor: StoredTensor,
  range?: RowRange,
): Promise<FourBitBlocks | null> {
  const { type } = tensor;
  if ((type !== 'Q4_1' && type !== 'Q4_0') || tensor.shape.length !== 2) return null;
  const [, width = 0] = tensor.shape;
  const perRow = width / blockWidth;
  if (!Number.isInteger(perRow)) throw new TillerError('internal', `${tensor.name} has rows of broken blocks.`);
  const { first, count: rows, encoded, storedAt } = await readStoredRows(file, tensor, range);
  const blocks: FourBitBlocks = {
    rows,
    width,
    quants: new Uint8Array(rows * perRow * quantBytes),
    scales: new Float32Array(rows * perRow),
    offsets: new Float32Array(rows * perRow),
    halves: { scales: new Uint16Array(rows * perRow), minima: new Uint16Array(rows * perRow) },
  };
  for (let row = 0; row < rows; row++) {
    const stored = storedAt(first + row);
    for (let b = 0; b < perRow; b++)
      takeApart(type, encoded, (stored * perRow + b) * blockLayouts[type].bytes, blocks, row * perRow + b);
  }
  return blocks;
}

function bitsAt(encoded: Uint8Array, at: number): number {
  return (encoded[at] as number) | ((encoded[at + 1] as number) << 8);
}

/** One block: float16 d, in Q4_1 float16 m, then 16 bytes with element i in the low half of byte i and i + 16 in the high half. */
function takeApart(type: 'Q4_0' | 'Q4_1', encoded: Uint8Array, at: number, blocks: FourBitBlocks, to: number): void {
  const scale = halfAt(encoded, at);
  blocks.scales[to] = scale;
  blocks.halves.scales[to] = bitsAt(encoded, at);
  if (type === 'Q4_1') blocks.halves.minima[to] = bitsAt(encoded, at + 2);
  blocks.offsets[to] = type === 'Q4_0' ? 0 : halfAt(encoded, at + 2) + zeroPoint * scale;
  const quants = at + (type === 'Q4_0' ? 2 : 4);
  for (let i = 0; i < quantBytes; i++) {
    // Bytes 2i and 2i + 1 hold elements 2i and 2i + 1 in their low halves, and those 16 further on in their high halves.
    const even = encoded[quants + ((2 * i) % quantBytes)] as number;
    const odd = encoded[quants + ((2 * i + 1) % quantBytes)] as number;
    const shift = 2 * i < quantBytes ? 0 : 4;
    blocks.quants[to * quantBytes + i] = ((even >> shift) & 15) | (((odd >> shift) & 15) << 4);
  }
}
