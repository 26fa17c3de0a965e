import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../../engine/checkpoint/index.ts';
import type { ModelConfig } from '../../../engine/core/index.ts';
import { rotaryTableValues } from '../../../engine/graph/rotary.ts';
import { familyFolders } from '../../harness/families.ts';
import { folderWith, refusal } from './fixtures.ts';
import { type GgufParts, ggufBytes, metadata, tinyMetadata, tinyTensors } from './gguf-bytes.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures');
const names = readdirSync(join(fixtures, 'families-gguf')).map((file) => file.replace('.gguf', ''));

async function pair<T>(name: string, work: (published: Checkpoint, gguf: Checkpoint) => T | Promise<T>): Promise<T> {
  const published = await openCheckpoint(join(fixtures, 'families', name));
  const gguf = await openCheckpoint(join(fixtures, 'families-gguf', `${name}.gguf`));
  try {
    return await work(published, gguf);
  } finally {
    await Promise.all([published.close(), gguf.close()]);
  }
}

async function values(checkpoint: Checkpoint, name: string): Promise<Uint32Array> {
  const shape = checkpoint.tensors.get(name)?.shape ?? [];
  const into = new Float32Array(shape.reduce((a, b) => a * b, 1));
  await checkpoint.readFloat32(name, into);
  return new Uint32Array(into.buffer);
}

/** What a GGUF file states, or that follows from it. Its numbers are float32; Gemma's scale and the tokens are no part of it. */
function comparable({ bosTokenId: _bos, eosTokenIds: _eos, attention, rotary, ...config }: ModelConfig) {
  const rotated = rotary.map(({ dimensions, base }) => ({ dimensions, base }));
  return { ...config, normEpsilon: Math.fround(config.normEpsilon), softCap: attention.softCap, rotated };
}

describe('the checkpoints of the families as GGUF files', () => {
  it('are there for every family', () => {
    expect(names.toSorted()).toEqual([...familyFolders].sort());
  });

  it.each(names)('%s: the same weights, bit for bit, under the same names', (name) =>
    pair(name, async (published, gguf) => {
      expect([...gguf.tensors.keys()]).toEqual([...published.tensors.keys()]);
      for (const [tensor, { shape }] of published.tensors) {
        expect(gguf.tensors.get(tensor)?.shape, tensor).toEqual(shape);
        expect(await values(gguf, tensor), tensor).toEqual(await values(published, tensor));
      }
    }),
  );

  it.each(names)('%s: the same model', (name) =>
    pair(name, (published, gguf) => {
      expect(comparable(gguf.config)).toEqual(comparable(published.config));
      for (const [index, rotary] of gguf.config.rotary.entries()) {
        const [ours, theirs] = [rotary, published.config.rotary[index]].map((one) => one && rotaryTableValues(one, 40));
        for (const [i, cosine] of ours?.cosine.entries() ?? []) {
          expect(Math.abs(cosine - (theirs?.cosine[i] ?? Number.NaN))).toBeLessThan(1e-5);
        }
      }
    }),
  );

  it('llama3 has divisors of its rotary frequencies, of all three kinds', () =>
    pair('llama3', (_published, gguf) => {
      const scaling = gguf.config.rotary[0]?.scaling;
      const divisors = scaling?.kind === 'divided' ? scaling.divisors : [];
      expect(divisors.some((divisor) => divisor === 1)).toBe(true);
      expect(divisors.some((divisor) => divisor > 1 && divisor < 8)).toBe(true);
      expect(divisors.some((divisor) => divisor === 8)).toBe(true);
    }));
});

describe('fused projections', () => {
  it('are taken apart as they are stored: blocks of q, k and v can be executed', async () => {
    const at = (key: string) => `gptneox.${key}`;
    const both = (name: string, dims: number[], type = 0): [string, number[], number][] => [
      [`${name}.weight`, dims, type],
      [`${name}.bias`, dims.slice(-1), 0],
    ];
    const shapes: [string, number[], number][] = [
      ['token_embd.weight', [32, 64], 0],
      ['output.weight', [32, 64], 0],
      ...both('output_norm', [32]),
      ...both('blk.0.attn_norm', [32]),
      ...both('blk.0.attn_qkv', [32, 96], 2),
      ...both('blk.0.attn_output', [32, 32]),
      ...both('blk.0.ffn_norm', [32]),
      ...both('blk.0.ffn_up', [32, 32]),
      ...both('blk.0.ffn_down', [32, 32]),
    ];
    let offset = 0;
    const tensors = shapes.map(([name, dims, type]) => {
      const tensor = { name, dims, type, offset };
      const elements = dims.reduce((product, size) => product * size, 1);
      offset += 32 * Math.ceil((type === 0 ? elements * 4 : (elements / 32) * 18) / 32);
      return tensor;
    });
    const bytes = ggufBytes({
      metadata: [
        metadata.string('general.architecture', 'gptneox'),
        metadata.uint32(at('block_count'), 1),
        metadata.uint32(at('context_length'), 16),
        metadata.uint32(at('embedding_length'), 32),
        metadata.uint32(at('feed_forward_length'), 32),
        metadata.uint32(at('attention.head_count'), 2),
        metadata.uint32(at('rope.dimension_count'), 4),
        metadata.float32(at('attention.layer_norm_epsilon'), 1e-5),
      ],
      tensors,
      data: offset,
    });
    const fused = tensors.find(({ name }) => name === 'blk.0.attn_qkv.weight')?.offset ?? 0;
    const start = bytes.length - offset + fused;
    for (let i = 0; i < 96 * 18; i++) bytes[start + i] = i % 18 === 1 ? 0x2c : (i * 89 + (i >> 7) * 37) & 255;
    const checkpoint = await openCheckpoint(join(await folderWith({ 'x.gguf': bytes }), 'x.gguf'));
    expect(checkpoint.config).toMatchObject({ family: 'gpt_neox', parallelResidual: true, heads: 2 });
    const seen = new Set<string>();
    for (const part of ['q', 'k', 'v']) {
      const name = `model.layers.0.self_attn.${part}_proj.weight`;
      const blocks = await checkpoint.readFourBitBlocks(name);
      const dense = new Float32Array((await values(checkpoint, name)).buffer);
      expect(blocks?.quants.length).toBe(32 * 16);
      const rebuilt = dense.map((_, i) => {
        const byte = blocks?.quants[i >> 1] ?? 0;
        return ((i % 2 ? byte >> 4 : byte & 15) - 8) * (blocks?.scales[i >> 5] ?? 0);
      });
      expect(rebuilt).toEqual(dense);
      seen.add(dense.join());
    }
    expect(seen.size).toBe(3);
    await checkpoint.close();
  });
});

describe('the scale of Gemma’s scores, which files do not state', () => {
  const config = async (architecture: string, blocks: number, extra: readonly Buffer[] = []) => {
    const at = (key: string) => `${architecture}.${key}`;
    const block = tinyTensors().filter(({ name }) => name.startsWith('blk.0.'));
    const more = [
      'post_attention_norm',
      'post_ffw_norm',
      ...(architecture === 'gemma3' ? ['attn_q_norm', 'attn_k_norm'] : []),
    ];
    const shapes = [
      ...block.map(({ name, dims }) => ({ name: name.slice('blk.0.'.length), dims })),
      ...more.map((name) => ({ name: `${name}.weight`, dims: [name.startsWith('attn') ? 16 : 32] })),
    ];
    let offset = 0;
    const place = (name: string, dims: readonly (number | bigint)[]) => {
      const tensor = { name, dims, type: 0, offset };
      offset += dims.reduce<number>((product, size) => product * Number(size), 4);
      return tensor;
    };
    const tensors = [
      place('token_embd.weight', [32, 64]),
      place('output_norm.weight', [32]),
      ...Array.from({ length: blocks }, (_, index) =>
        shapes.map(({ name, dims }) => {
          const narrow = /^attn_(q|k|v)\.weight$/.test(name)
            ? [32, 16]
            : name === 'attn_output.weight'
              ? [16, 32]
              : dims;
          return place(`blk.${index}.${name}`, narrow);
        }),
      ).flat(),
    ];
    const parts: GgufParts = {
      metadata: [
        metadata.string('general.architecture', architecture),
        metadata.uint32(at('block_count'), blocks),
        metadata.uint32(at('context_length'), 16),
        metadata.uint32(at('embedding_length'), 32),
        metadata.uint32(at('feed_forward_length'), 32),
        metadata.uint32(at('attention.head_count'), 1),
        metadata.uint32(at('attention.key_length'), 16),
        metadata.uint32(at('attention.value_length'), 16),
        metadata.float32(at('attention.layer_norm_rms_epsilon'), 1e-6),
        metadata.uint32(at('attention.sliding_window'), 8),
        ...extra,
      ],
      tensors,
      data: offset,
    };
    const checkpoint = await openCheckpoint(join(await folderWith({ 'x.gguf': ggufBytes(parts) }), 'x.gguf'));
    await checkpoint.close();
    return checkpoint.config;
  };

  it.each([
    ['gemma2', 2, 1 / 4],
    ['gemma2', 46, 1 / Math.sqrt(32)],
    ['gemma3', 6, 1 / 4],
    ['gemma3', 62, 1 / Math.sqrt(32)],
  ])('%s of %d blocks', async (architecture, blocks, scale) => {
    expect((await config(architecture, blocks)).attention.scale).toBeCloseTo(scale, 12);
  });

  it('gemma3 sees everything in every sixth block, or by the pattern that the file states', async () => {
    const sliding = ({ layers }: ModelConfig) => layers.map(({ window, rotary }) => [window, rotary]);
    const local = [8, 1];
    const global = [null, 0];
    expect(sliding(await config('gemma3', 7))).toEqual([local, local, local, local, local, global, local]);
    const every = [metadata.uint32('gemma3.attention.sliding_window_pattern', 2)];
    expect(sliding(await config('gemma3', 3, every))).toEqual([local, global, local]);
    const flags = [metadata.array('gemma3.attention.sliding_window_pattern', 7, 3, Buffer.from([0, 1, 1]))];
    expect(sliding(await config('gemma3', 3, flags))).toEqual([global, local, local]);
    const short = [metadata.array('gemma3.attention.sliding_window_pattern', 7, 2, Buffer.from([0, 1]))];
    expect((await refusal(config('gemma3', 3, short))).message).toContain('sliding_window_pattern');
  });

  it('a key of the architecture that is not understood is refused by name', async () => {
    const error = await refusal(config('gemma2', 2, [metadata.float32('gemma2.logit_scale', 2)]));
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain('gemma2.logit_scale (2)');
    const parts = {
      metadata: [...tinyMetadata(), metadata.uint32('llama.attention.sliding_window', 4)],
      tensors: tinyTensors(),
    };
    const data = tinyTensors().reduce(
      (end, { offset, dims }) => Math.max(end, Number(offset) + dims.reduce<number>((p, d) => p * Number(d), 4)),
      0,
    );
    const checkpoint = await openCheckpoint(
      join(await folderWith({ 'x.gguf': ggufBytes({ ...parts, data }) }), 'x.gguf'),
    );
    expect(checkpoint.config.layers).toEqual([{ window: 4, rotary: 0 }]);
    await checkpoint.close();
  });
});
