import { TillerError } from '../core/index.ts';
import { dequantise } from './dequantise.ts';
import { storedRow } from './interleaved-rows.ts';
import type { LocalFile } from './local-file.ts';
import { readTaken } from './taken-reader.ts';
import { blockLayouts, elementCount, type StoredTensor, type TensorPiece } from './tensor.ts';

/** Elements dequantised between two reads: a few milliseconds of work, 4 MiB of float32. A multiple of every block. */
const pieceElements = 2 ** 20;

/**
 * Reads a tensor in pieces, in order, dequantised and with Hugging Face's order of rows. Every piece awaits a read, so the event
 * loop turns in between.
 */
export async function* readPieces(file: LocalFile, tensor: StoredTensor): AsyncGenerator<TensorPiece> {
  if (tensor.taken) {
    yield* readTaken(tensor, tensor.taken, (part) => readPieces(file, part));
    return;
  }
  const total = elementCount(tensor.shape);
  const step = tensor.interleavedHeads === null ? pieceElements : headStep(tensor, tensor.interleavedHeads);
  const block = blockLayouts[tensor.type];
  const length = Math.min(step, total);
  const bytes = new Uint8Array((length / block.elements) * block.bytes);
  const values = new Float32Array(length);
  const reordered = tensor.interleavedHeads === null ? null : new Float32Array(length);
  for (let start = 0; start < total; start += step) {
    const count = Math.min(step, total - start);
    const encoded = bytes.subarray(0, (count / block.elements) * block.bytes);
    await file.read(tensor.offset + (start / block.elements) * block.bytes, encoded);
    const piece = values.subarray(0, count);
    dequantise(tensor.type, encoded, piece);
    if (reordered === null || tensor.interleavedHeads === null) {
      yield { start, values: piece };
    } else {
      const [rows, width = 1] = tensor.shape;
      undoInterleave(piece, reordered, rows / tensor.interleavedHeads, width);
      yield { start, values: reordered.subarray(0, count) };
    }
  }
}

/** The whole tensor into `into`, which has exactly its number of elements. */
export async function readInto(file: LocalFile, tensor: StoredTensor, into: Float32Array): Promise<void> {
  if (into.length !== elementCount(tensor.shape)) {
    throw new TillerError(
      'internal',
      `${tensor.name} has ${elementCount(tensor.shape)} elements, the buffer for it ${into.length}.`,
    );
  }
  for await (const piece of readPieces(file, tensor)) into.set(piece.values, piece.start);
}

/** Whole heads, about `pieceElements` at a time. */
function headStep(tensor: StoredTensor, heads: number): number {
  const head = elementCount(tensor.shape) / heads;
  return head * Math.max(1, Math.floor(pieceElements / head));
}

/** Puts the rows of q or k back where Hugging Face has them (interleaved-rows.ts, `storedRow`). */
function undoInterleave(from: Float32Array, to: Float32Array, headDim: number, width: number): void {
  const rows = from.length / width;
  for (let row = 0; row < rows; row++) {
    const stored = storedRow(row, headDim);
    to.set(from.subarray(stored * width, (stored + 1) * width), row * width);
  }
}
