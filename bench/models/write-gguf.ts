import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from '../../engine/checkpoint/atomic-file.ts';
import { configFromJson } from '../../engine/checkpoint/config-json.ts';
import { sourceTensors } from '../../engine/checkpoint/families/index.ts';
import { ggufFamilyOf } from '../../engine/checkpoint/gguf-families/index.ts';
import { elementCount } from '../../engine/checkpoint/tensor.ts';
import { encodedBytes, encodeWeights, type StoredType, storedTypes } from '../weights/encode-weights.ts';
import { headerBytes } from '../weights/gguf-header.ts';
import { byteTokens } from './byte-tokenizer.ts';
import { keyValues } from './gguf-key-values.ts';
import type { RandomWeights } from './random-weights.ts';
import type { ModelShape } from './shapes.ts';

const alignment = 32;
const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

/**
 * Writes a Q4_0 file of random weights, the embedding in Q8_0 (bench/weights/write-gguf.ts says why) and vectors in F32, whose metadata
 * are the shape's, with a tokenizer of bytes. The numbers are those of the safetensors of the same shape, rounded, but for the
 * order of rows of q and k.
 */
export async function writeRandomGguf(
  path: string,
  { config: json, gguf }: Pick<ModelShape, 'config' | 'gguf'>,
  weights: RandomWeights,
): Promise<void> {
  const { config } = configFromJson('config.json', json, null, { bosTokenId: null, eosTokenIds: [] });
  const family = ggufFamilyOf(path, gguf.architecture);
  const tensors: { name: string; shape: readonly number[]; stored: StoredType; type: number; offset: number }[] = [];
  let end = 0;
  for (const [weight, { from, storedShape: shape }] of sourceTensors(family.weights, config)) {
    const stored = shape.length === 1 ? 'F32' : weight.includes('embed_tokens') ? 'Q8_0' : 'Q4_0';
    tensors.push({ name: from, shape, stored, type: storedTypes[stored].tensorType, offset: end });
    end = align(end + encodedBytes(stored, elementCount(shape)));
  }
  const metadata = keyValues(gguf, storedTypes.Q4_0.fileType, byteTokens(config.vocabularySize));
  const header = { version: 3, ...metadata, fileTypeAt: null, alignment, tensors };
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, async (file) => {
    const start = headerBytes(header, storedTypes.Q4_0.fileType, tensors);
    await file.write(start);
    for (const [place, { shape, stored, offset }] of tensors.entries()) {
      await file.write(new Uint8Array(start.length + offset - file.position));
      if (shape.length === 1) await file.write(encodeWeights('F32', weights.vector(shape[0], place, 1)));
      else for (const piece of weights.matrix(stored, shape, place)) await file.write(piece);
    }
    await file.write(new Uint8Array(start.length + end - file.position));
  });
}
