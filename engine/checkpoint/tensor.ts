/** Element types that are read: floats, ggml's blocks of 32 (Q4_0 … Q8_0) and of 256 (Q4_K …); block-layouts/ has one file for each. */
export const tensorTypes = [
  'F32',
  'F16',
  'BF16',
  'Q4_0',
  'Q4_1',
  'Q5_0',
  'Q5_1',
  'Q8_0',
  'Q4_K',
  'Q5_K',
  'Q6_K',
] as const;
export type TensorType = (typeof tensorTypes)[number];

/** Elements and bytes of one block of each type. */
export const blockLayouts: Readonly<Record<TensorType, { readonly elements: number; readonly bytes: number }>> = {
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 },
  Q5_1: { elements: 32, bytes: 24 },
  Q8_0: { elements: 32, bytes: 34 },
  Q4_K: { elements: 256, bytes: 144 },
  Q5_K: { elements: 256, bytes: 176 },
  Q6_K: { elements: 256, bytes: 210 },
};

/** One weight of a checkpoint. */
export interface TensorInfo {
  /** Hugging Face's name, whatever the file calls it: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  /** Hugging Face's order, row major: `[out, in]` for a linear layer. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Bytes in the file. */
  readonly byteLength: number;
  /** Set where the file's tensor is not the weight itself; `byteLength` is then the file's tensor's. */
  readonly taken?: TakenFrom | null;
}

/** Where a tensor lies. */
export interface StoredTensor extends TensorInfo {
  /** Index into the checkpoint's files. */
  readonly file: number;
  /** From the start of that file. */
  readonly offset: number;
  /**
   * Set where llama.cpp's converter reordered the rows of q or k for its rotary embedding: the rows of each of `heads` heads are to
   * be put back (interleaved-rows.ts).
   */
  readonly interleavedHeads: number | null;
}

/** How a weight is taken out of a tensor that holds more, or holds it otherwise: families whose layers are fused, transposed or shifted. */
export interface TakenFrom {
  readonly storedShape: readonly number[];
  /** The file has [in, out]. The other fields mean the turned matrix. */
  readonly transposed: boolean;
  /** Rows that are taken: `count` from `first` on, and again `every` so many, as often as the weight has rows for. */
  readonly runs: { readonly first: number; readonly count: number; readonly every: number };
  /** Added to each value. */
  readonly plus: number;
}

/** The weight of `count` whole rows of a stored matrix or vector; blocks never cross rows. */
export function rowsOf(tensor: StoredTensor, name: string, first: number, count: number): StoredTensor {
  const [rows = 1, ...width] = tensor.shape;
  const rowBytes = tensor.byteLength / rows;
  return {
    ...tensor,
    name,
    shape: [count, ...width],
    offset: tensor.offset + first * rowBytes,
    byteLength: count * rowBytes,
  };
}

/** A run of consecutive elements of a tensor, dequantised. `values` is overwritten when the next piece is asked for. */
export interface TensorPiece {
  /** Index of the first element, row major. */
  readonly start: number;
  readonly values: Float32Array;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The ways in which weights are taken out of a file's tensors: they follow from the configuration too, which no hash of weights covers. */
export function takenRecipe(tensors: Iterable<TensorInfo>): string | null {
  const ways = new Set<string>();
  for (const { taken } of tensors) if (taken) ways.add(JSON.stringify(taken));
  return ways.size > 0 ? [...ways].join(' ') : null;
}
