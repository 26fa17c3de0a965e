import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from '../../engine/checkpoint/atomic-file.ts';
import { sourceTensors } from '../../engine/checkpoint/families/index.ts';
import { ggufFamilyOf } from '../../engine/checkpoint/gguf-families/index.ts';
import { type Checkpoint, openCheckpoint } from '../../engine/checkpoint/index.ts';
import { interleavedHeads } from '../../engine/checkpoint/interleaved-rows.ts';
import { elementCount } from '../../engine/checkpoint/tensor.ts';
import { encodedBytes, encodeWeights, type StoredType, storedTypes } from './encode-weights.ts';
import { headerBytes, readHeaderBytes } from './gguf-header.ts';

interface Plan {
  readonly name: string;
  readonly shape: readonly number[];
  readonly stored: StoredType;
  readonly offset: number;
}

/**
 * Writes the weights that Tiller computes with (the float32 that it dequantises from `source`, a GGUF file) as another GGUF file with
 * matrices of type `type` and vectors in F32, as llama.cpp's converter does. The metadata are the source's, byte for byte, but for
 * `general.file_type`. Does nothing where `target` exists: it is whole or absent.
 */
export async function writeGguf(source: string, target: string, type: StoredType): Promise<void> {
  if (await exists(target)) return;
  const header = await readHeaderBytes(source);
  const plan: Plan[] = [];
  let end = 0;
  for (const { name, shape } of header.tensors) {
    const stored = storedAs(type, name, shape);
    plan.push({ name, shape, stored, offset: end });
    end = align(end + encodedBytes(stored, elementCount(shape)), header.alignment);
  }
  const described = plan.map((tensor) => ({ ...tensor, type: storedTypes[tensor.stored].tensorType }));
  await mkdir(dirname(target), { recursive: true });
  const checkpoint = await openCheckpoint(source);
  try {
    await writeAtomically(target, async (file) => {
      const start = headerBytes(header, storedTypes[type].fileType, described);
      await file.write(start);
      for (const tensor of plan) {
        await file.write(new Uint8Array(start.length + tensor.offset - file.position));
        await file.write(encodeWeights(tensor.stored, await readAsStored(checkpoint, tensor)));
      }
      await file.write(new Uint8Array(start.length + end - file.position));
    });
  } finally {
    await checkpoint.close();
  }
}

/**
 * Vectors stay float32. In a four-bit file the embedding, which is the unembedding too, has eight bits, as llama-quantize leaves it where its
 * six-bit type does not fit the width (llama-quant.cpp `llama_tensor_get_type`); the model's own Q4_1 file was made so.
 */
function storedAs(type: StoredType, name: string, shape: readonly number[]): StoredType {
  if (shape.length === 1) return 'F32';
  return type === 'Q4_0' && (name === 'token_embd.weight' || name === 'output.weight') ? 'Q8_0' : type;
}

/** A tensor's float32 values in the order of rows that llama.cpp expects. */
async function readAsStored(checkpoint: Checkpoint, { name, shape }: Plan): Promise<Float32Array> {
  const values = new Float32Array(elementCount(shape));
  const weight = weightOf(checkpoint, name);
  await checkpoint.readFloat32(weight, values);
  const interleaved = interleavedHeads(weight, checkpoint.config);
  return interleaved === null ? values : interleave(values, shape[0] / interleaved, shape[1]);
}

/** The weight that a llama file calls so. */
function weightOf(checkpoint: Checkpoint, name: string): string {
  const { weights } = ggufFamilyOf(checkpoint.path, 'llama');
  for (const [weight, { from }] of sourceTensors(weights, checkpoint.config)) if (from === name) return weight;
  throw new Error(`${name} is not a tensor of a llama file.`);
}

/** Row t·D/2 + j of a head of D rows goes to row 2·j + t, t in {0, 1} (`permute` in llama.cpp's convert_hf_to_gguf.py). */
export function interleave(from: Float32Array, headDim: number, width: number): Float32Array {
  const to = new Float32Array(from.length);
  const half = headDim / 2;
  for (let row = 0; row < from.length / width; row++) {
    const inHead = row % headDim;
    const stored = row - inHead + 2 * (inHead % half) + (inHead < half ? 0 : 1);
    to.set(from.subarray(row * width, (row + 1) * width), stored * width);
  }
  return to;
}

function align(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
