import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint, openTensorFile } from '../../../engine/checkpoint/index.ts';
import { folderWith, refusal, temporaryFolder, tinyLlama } from './fixtures.ts';

async function all(checkpoint: Checkpoint): Promise<Map<string, Float32Array>> {
  const tensors = new Map<string, Float32Array>();
  for (const [name, { shape }] of checkpoint.tensors) {
    const into = new Float32Array(shape.reduce((a, b) => a * b, 1));
    await checkpoint.readFloat32(name, into);
    tensors.set(name, into);
  }
  return tensors;
}

const sizes = {
  family: 'llama',
  dModel: 64,
  blocks: 3,
  heads: 4,
  keyValueHeads: 2,
  headDim: 16,
  mlpWidth: 96,
  vocabularySize: 512,
  contextLength: 256,
  rotary: [{ dimensions: 16, base: 10_000, scaling: null }],
  bosTokenId: null,
  eosTokenIds: [2],
};

describe('the three forms of tiny-llama', () => {
  it.each([
    ['f32', 'safetensors', true],
    ['bf16-sharded', 'safetensors', false],
    ['gguf', 'gguf', true],
  ])('%s: configuration, names and shapes', async (folder, format, tiedEmbeddings) => {
    const checkpoint = await openCheckpoint(join(tinyLlama, folder));
    expect(checkpoint.format).toBe(format);
    expect(checkpoint.config).toMatchObject({ ...sizes, tiedEmbeddings });
    expect(checkpoint.config.normEpsilon).toBeCloseTo(1e-5, 10);
    expect(checkpoint.tensors.size).toBe(3 * 9 + 2 + (tiedEmbeddings ? 0 : 1));
    expect(checkpoint.tensors.has('lm_head.weight')).toBe(!tiedEmbeddings);
    expect(checkpoint.tensors.get('model.layers.1.self_attn.k_proj.weight')?.shape).toEqual([32, 64]);
    expect(checkpoint.tensors.get('model.layers.2.mlp.down_proj.weight')?.shape).toEqual([64, 96]);
    expect(checkpoint.chatTemplate).toContain('<|im_start|>');
    await checkpoint.close();
  });

  it('dequantises a GGUF as the gguf package does, bit for bit, with q and k in their own order', async () => {
    const checkpoint = await openCheckpoint(join(tinyLlama, 'gguf/tiny-llama.gguf'));
    const expected = await openTensorFile(join(tinyLlama, 'gguf/dequantised.safetensors'));
    const types = new Set([...checkpoint.tensors.values()].map(({ type }) => type));
    expect([...types].sort()).toEqual(['F32', 'Q4_1', 'Q8_0']);
    for (const [name, values] of await all(checkpoint)) {
      expect(values, name).toEqual(await expected.readFloat32(name));
    }
    await checkpoint.close();
    await expected.close();
  });

  it('reads F32 as it is and BF16 as the upper half of a float32', async () => {
    const plain = await openCheckpoint(join(tinyLlama, 'f32/model.safetensors'));
    const file = await readFile(join(tinyLlama, 'f32/model.safetensors'));
    const place = plain.inPlace?.get('model.norm.weight');
    const values = (await all(plain)).get('model.norm.weight');
    expect(place).toBeDefined();
    for (let i = 0; i < 64; i++) expect(values?.[i]).toBe(file.readFloatLE((place?.offset ?? 0) + 4 * i));
    await plain.close();

    const halves = await openCheckpoint(join(tinyLlama, 'bf16-sharded'));
    expect(halves.inPlace).toBeNull();
    const read = await all(halves);
    for (const values of read.values()) {
      const bits = new Uint32Array(values.buffer);
      expect(bits.every((word) => (word & 0xffff) === 0)).toBe(true);
      expect(values.some((value) => value !== 0)).toBe(true);
    }
    await halves.close();
  });

  it('gives the same tensor in pieces and whole', async () => {
    const checkpoint = await openCheckpoint(join(tinyLlama, 'gguf'));
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const whole = (await all(checkpoint)).get(name);
    const joined: number[] = [];
    for await (const { start, values } of checkpoint.readPieces(name)) {
      expect(start).toBe(joined.length);
      joined.push(...values);
    }
    expect(joined).toEqual([...(whole ?? [])]);
    await checkpoint.close();
  });

  it('hashes one file as sha256sum does, and shards together', async () => {
    const single = await openCheckpoint(join(tinyLlama, 'gguf'));
    const { createHash } = await import('node:crypto');
    const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
    expect(await single.contentHash()).toBe(sha256(await readFile(join(tinyLlama, 'gguf/tiny-llama.gguf'))));
    await single.close();
    const sharded = await openCheckpoint(join(tinyLlama, 'bf16-sharded'));
    const lines = await Promise.all(
      [1, 2].map(async (index) => {
        const name = `model-0000${index}-of-00002.safetensors`;
        return `${sha256(await readFile(join(tinyLlama, 'bf16-sharded', name)))}  ${name}\n`;
      }),
    );
    expect(await sharded.contentHash()).toBe(sha256(lines.join('')));
    await sharded.close();
  });
});

describe('what is not a checkpoint', () => {
  it('says what is missing', async () => {
    expect((await refusal(openCheckpoint('/nonexistent/model'))).message).toContain('/nonexistent/model');
    expect((await refusal(openCheckpoint(await temporaryFolder()))).message).toContain('model.safetensors');
    expect((await refusal(openCheckpoint(import.meta.filename))).code).toBe('checkpoint_unsupported');
  });

  it('refuses a folder of several GGUF files, naming them', async () => {
    const folder = await temporaryFolder();
    for (const name of ['a.gguf', 'b.gguf']) await cp(join(tinyLlama, 'gguf/tiny-llama.gguf'), join(folder, name));
    expect((await refusal(openCheckpoint(folder))).message).toContain('a.gguf, b.gguf');
  });

  it('refuses pickled weights, as a folder and as a file, with the line that converts them', async () => {
    const folder = await folderWith({ 'config.json': {}, 'pytorch_model-00001-of-00002.bin': 'x' });
    for (const path of [folder, join(folder, 'pytorch_model-00001-of-00002.bin')]) {
      const error = await refusal(openCheckpoint(path));
      expect(error.code).toBe('checkpoint_unsupported');
      expect(error.message).toContain('runs whatever code is in it');
      expect(error.message).toContain(`M.from_pretrained('${folder}').save_pretrained('converted')`);
    }
  });

  it('refuses weights without their config.json, and shards that are gone', async () => {
    const folder = await temporaryFolder();
    await cp(join(tinyLlama, 'f32/model.safetensors'), join(folder, 'model.safetensors'));
    expect((await refusal(openCheckpoint(folder))).message).toContain('config.json is missing');
    const sharded = join(folder, 'sharded');
    await cp(join(tinyLlama, 'bf16-sharded'), sharded, { recursive: true });
    await rm(join(sharded, 'model-00002-of-00002.safetensors'));
    expect((await refusal(openCheckpoint(sharded))).message).toContain('model-00002-of-00002.safetensors');
  });
});
