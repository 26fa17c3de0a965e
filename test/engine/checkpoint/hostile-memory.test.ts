import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, openTensorFile } from '../../../engine/checkpoint/index.ts';
import { familyPath } from '../../harness/families.ts';
import { folderWith, refusal, safetensorsBytes, temporaryFolder } from './fixtures.ts';
import { ggufBytes, metadata, string, tinyDataBytes, tinyMetadata, tinyTensors } from './gguf-bytes.ts';

const mebibyte = 2 ** 20;
/** Garbage of the work itself, which is collected when the engine likes. */
const slack = 12 * mebibyte;

/** What the process holds more than before, while and right after `work` runs. */
async function taken(work: () => Promise<unknown>): Promise<number> {
  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  await work();
  return held() - before;
}

/** A tiny llama with one more metadata array of `elements` elements. */
function withArray(type: number, elements: number, content: Buffer): Buffer {
  return ggufBytes({
    metadata: [...tinyMetadata(), metadata.array('general.x', type, elements, content)],
    tensors: tinyTensors(),
    data: tinyDataBytes,
  });
}

describe('a file that is small and whose values would not be', () => {
  it.each<[string, Buffer]>([
    ['booleans', withArray(7, 4_000_000, Buffer.alloc(4_000_000, 1))],
    ['bytes', withArray(0, 4_000_000, Buffer.alloc(4_000_000, 1))],
    ['empty strings', withArray(8, 1_000_000, Buffer.alloc(8_000_000))],
    ['short strings', withArray(8, 1_000_000, Buffer.concat(Array.from({ length: 1_000_000 }, () => string('ab'))))],
  ])('opens as a GGUF file with an array of %s that nobody asks for', async (_, bytes) => {
    const path = join(await temporaryFolder(), 'x.gguf');
    await writeFile(path, bytes);
    expect(await taken(async () => (await openCheckpoint(path)).close())).toBeLessThan(3 * bytes.length + slack);
  });

  it.each<[string, string, string]>([
    ['numbers', `{"a":{"dtype":"F32","shape":[${'1,'.repeat(4_000_000)}1],"data_offsets":[0,4]}}`, 'values'],
    ['arrays', `{"a":[${'[],'.repeat(2_000_000)}[]]}`, 'objects and arrays'],
    ['depth', '['.repeat(8_000_000), 'deep'],
    ['length', ' '.repeat(17 * mebibyte), 'header claims'],
  ])('is refused as a safetensors file with a header of %s', async (_, header, words) => {
    const bytes = safetensorsBytes(header, 4);
    const path = join(await folderWith({ 'x.safetensors': bytes }), 'x.safetensors');
    let message = '';
    const bound = 3 * bytes.length + slack;
    expect(await taken(async () => (message = (await refusal(openTensorFile(path))).message))).toBeLessThan(bound);
    expect(message).toContain(words);
  });

  it.each<[string, string, string]>([
    ['depth', `{"model_type":"llama","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'nested more than 32 deep'],
    ['values', `{"model_type":"llama","eos_token_id":[${'0,'.repeat(100_000)}0]}`, 'holds more than 65536 values'],
    ['size', `{"model_type":"${'x'.repeat(2 * mebibyte)}"}`, 'at most 1048576 are read'],
    ['issues', `{"model_type":"gemma2","layer_types":[${'0,'.repeat(50_000)}0]}`, 'and 49997 more'],
  ])('is refused as a config.json of great %s', async (_, config, words) => {
    const folder = await folderWith({ 'config.json': config, 'model.safetensors': '' });
    const error = await refusal(openCheckpoint(folder));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain(words);
    expect(error.message.length).toBeLessThan(10_000);
  });

  it('in strings, brackets and commas do not count', async () => {
    const header = { __metadata__: { config: '[,{"'.repeat(600_000) } };
    const file = await openTensorFile(
      join(await folderWith({ 'x.safetensors': safetensorsBytes(header, 0) }), 'x.safetensors'),
    );
    expect(file.metadata.config?.length).toBe(2_400_000);
    await file.close();
    await (await openCheckpoint(familyPath('gpt2'))).close();
  });
});
