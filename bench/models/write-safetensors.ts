import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../engine/checkpoint/atomic-file.ts';
import { configFromJson } from '../../engine/checkpoint/config-json.ts';
import { type Family, sourceTensors } from '../../engine/checkpoint/families/index.ts';
import { elementCount } from '../../engine/checkpoint/tensor.ts';
import type { ModelConfig } from '../../engine/core/index.ts';
import { encodeWeights } from '../weights/encode-weights.ts';
import { byteTokenizerJson } from './byte-tokenizer.ts';
import type { RandomWeights } from './random-weights.ts';
import type { ModelShape } from './shapes.ts';

const bytesPerElement = 2;

interface Planned {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** What the model adds to the values: Gemma's gains are stored less one. */
  readonly plus: number;
  /** Of all tensors. */
  readonly place: number;
}

/**
 * Writes a folder as Hugging Face publishes it, with random BF16 weights: config.json, tokenizer.json (byte-tokenizer.ts), shards of at most
 * `shardBytes` and their index.
 */
export async function writeRandomSafetensors(
  folder: string,
  { config: json }: Pick<ModelShape, 'config'>,
  weights: RandomWeights,
  shardBytes = 2e9,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(json));
  const { family, config } = configFromJson('config.json', json, null, { bosTokenId: null, eosTokenIds: [] });
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(byteTokenizerJson(config.vocabularySize)));
  const shards = intoShards(plan(family, config), shardBytes);
  const placement: Record<string, string> = {};
  const digits = (value: number) => String(value).padStart(5, '0');
  for (const [i, shard] of shards.entries()) {
    const file = `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
    for (const { name } of shard) placement[name] = file;
    await writeShard(join(folder, file), shard, weights);
  }
  const total = shards.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  const index = { metadata: { total_size: total }, weight_map: placement };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
}

/** Every tensor of the published file, under its name there. */
function plan(family: Family, config: ModelConfig): Planned[] {
  const planned = new Map<string, Planned>();
  for (const { from, storedShape, taken } of sourceTensors(family.weights, config).values()) {
    const bytes = elementCount(storedShape) * bytesPerElement;
    planned.set(from, { name: from, shape: storedShape, bytes, plus: taken?.plus ?? 0, place: planned.size });
  }
  return [...planned.values()];
}

function intoShards(tensors: readonly Planned[], shardBytes: number): Planned[][] {
  const shards: Planned[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    if (bytes > 0 && bytes + tensor.bytes > shardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(tensor);
    bytes += tensor.bytes;
  }
  return shards;
}

async function writeShard(path: string, tensors: readonly Planned[], weights: RandomWeights): Promise<void> {
  const entries: Record<string, object> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape, bytes } of tensors) {
    entries[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = JSON.stringify(entries);
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeAtomically(path, async (file) => {
    await file.write(length);
    await file.write(header);
    for (const { shape, plus, place } of tensors) {
      if (shape.length === 1) {
        await file.write(encodeWeights('BF16', weights.vector(shape[0], place, 1 - plus)));
      } else {
        for (const piece of weights.matrix('BF16', shape, place)) await file.write(piece);
      }
    }
  });
}
