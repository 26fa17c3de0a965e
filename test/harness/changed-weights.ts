import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TensorLocation, WeightsFile } from '../../engine/checkpoint/index.ts';

/** A tensor as it is and its shape → what takes its place; null leaves it. */
export type WeightChange = (name: string, values: Float32Array, shape: readonly number[]) => Float32Array | null;

/** The weights in a new file, some of them changed. */
export function changedWeights(weights: WeightsFile, change: WeightChange): WeightsFile {
  const path = join(mkdtempSync(join(tmpdir(), 'tiller-changed-')), 'weights.bin');
  const tensors = new Map<string, TensorLocation>();
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, ...place }] of weights.tensors) {
    const bytes = readFileSync(place.path).subarray(place.offset, place.offset + place.byteLength);
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const changed = change(name, values, shape) ?? values;
    tensors.set(name, { path, offset, byteLength: changed.byteLength, shape });
    parts.push(Buffer.from(changed.buffer, changed.byteOffset, changed.byteLength));
    offset += changed.byteLength;
  }
  writeFileSync(path, Buffer.concat(parts));
  return { tensors, hash: `${weights.hash}-changed` };
}

/** The rows of a matrix or vector in another order: row r of the result is row `from(r)`. */
export function reordered(
  values: Float32Array,
  [rows = 1]: readonly number[],
  from: (row: number) => number,
): Float32Array {
  const width = values.length / rows;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const source = from(row);
    result.set(values.subarray(source * width, (source + 1) * width), row * width);
  }
  return result;
}
