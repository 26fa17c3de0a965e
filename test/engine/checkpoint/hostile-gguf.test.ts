import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { folderWith, refusal } from './fixtures.ts';
import { type GgufParts, ggufBytes, metadata, string, tinyDataBytes, tinyMetadata, tinyTensors } from './gguf-bytes.ts';

const whole: GgufParts = { metadata: tinyMetadata(), tensors: tinyTensors(), data: tinyDataBytes };

async function open(parts: Partial<GgufParts>) {
  return openCheckpoint(join(await folderWith({ 'x.gguf': ggufBytes({ ...whole, ...parts }) }), 'x.gguf'));
}

/** tinyTensors with the named one changed. */
function tensors(name: string, change: object) {
  return tinyTensors().map((tensor) => (tensor.name === name ? { ...tensor, ...change } : tensor));
}

const more = (...extra: Buffer[]) => ({ metadata: [...tinyMetadata(), ...extra] });
const gate = 'blk.0.ffn_gate.weight';

describe('a hostile GGUF file is refused', () => {
  it('though an honest one of the same making opens', async () => {
    const checkpoint = await open({});
    expect(checkpoint.config).toMatchObject({ dModel: 32, vocabularySize: 64, keyValueHeads: 1, tiedEmbeddings: true });
    expect(checkpoint.tokenizerFiles).toBeNull();
    await checkpoint.close();
  });

  it.each<[string, Partial<GgufParts>, string]>([
    ['wrong magic', { magic: 'GGML' }, "does not begin with 'GGUF'"],
    ['unknown version', { version: 77 }, 'version is 77'],
    ['absurd number of tensors', { tensorCount: 2n ** 60n }, 'number of tensors'],
    ['absurd number of keys', { keyCount: 2n ** 60n }, 'number of metadata keys'],
    ['more tensors claimed than there are', { tensorCount: 12 }, ''],
    ['absurd array', more(metadata.array('x', 4, 2n ** 50n, Buffer.alloc(0))), "metadata array 'x'"],
    ['array beyond the file', more(metadata.array('x', 12, 4_000_000, Buffer.alloc(0))), "'x' claims 4000000 elements"],
    [
      'absurd string',
      more(Buffer.concat([string('x'), Buffer.from([8, 0, 0, 0]), Buffer.alloc(8, 0xff)])),
      "metadata 'x'",
    ],
    ['unknown value type', more(Buffer.concat([string('x'), Buffer.from([99, 0, 0, 0])])), 'unknown type 99'],
    ['a key twice', more(metadata.uint32('llama.block_count', 2)), "'llama.block_count' occurs twice"],
    ['absurd alignment', more(metadata.uint32('general.alignment', 0)), 'general.alignment'],
    [
      'a tensor twice',
      { tensors: [...tinyTensors(), { ...tinyTensors()[1], offset: tinyDataBytes }] },
      "'blk.0.attn_norm.weight' occurs twice",
    ],
    ['dimensions', { tensors: tensors(gate, { dims: [1, 1, 1, 1, 1] }) }, `'${gate}' claims 5 dimensions`],
    ['no elements', { tensors: tensors(gate, { dims: [0, 32] }) }, `'${gate}' claims the shape`],
    ['absurd shape', { tensors: tensors(gate, { dims: [2n ** 39n, 2n ** 39n] }) }, `'${gate}' claims the shape`],
    ['truncated', { data: tinyDataBytes - 1 }, "'output_norm.weight' ends at byte"],
    ['out of range', { tensors: tensors(gate, { offset: 2n ** 52n }) }, `'${gate}' ends at byte`],
    ['overlap', { tensors: tensors(gate, { offset: 0 }) }, 'overlaps tensor'],
    ['misaligned', { tensors: tensors(gate, { offset: 12 }) }, 'not a multiple of 32'],
    ['unknown tensor type', { tensors: tensors(gate, { type: 200 }) }, `'${gate}' has an unknown type`],
    [
      'rows that do not fill blocks',
      { tensors: tensors(gate, { type: 8, dims: [16, 32] }) },
      'do not fill blocks of Q8_0',
    ],
    [
      'shape against the configuration',
      { tensors: tensors(gate, { dims: [32, 16] }) },
      'has the shape [16, 32], the configuration wants [32, 32]',
    ],
    ['missing tensor', { tensors: tinyTensors().slice(0, -1) }, "lacks tensor 'output_norm.weight'"],
    [
      'vocabulary against the embedding',
      more(metadata.uint32('llama.vocab_size', 65)),
      "'token_embd.weight' has 64 rows",
    ],
    [
      'a bias of queries alone',
      {
        tensors: [...tinyTensors(), { name: 'blk.0.attn_q.bias', dims: [32], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 128,
      },
      "lacks tensor 'blk.0.attn_k.bias'",
    ],
    [
      'a bias of another shape',
      {
        tensors: [...tinyTensors(), { name: 'blk.0.attn_output.bias', dims: [8], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 32,
      },
      "'blk.0.attn_output.bias' has the shape [8], the configuration wants [32]",
    ],
    [
      'fewer rotary divisors than pairs',
      {
        tensors: [...tinyTensors(), { name: 'rope_freqs.weight', dims: [8], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 32,
      },
      "'rope_freqs.weight' has 8 divisors for 32 rotated dimensions",
    ],
    [
      'rotary divisors of zero',
      {
        tensors: [...tinyTensors(), { name: 'rope_freqs.weight', dims: [16], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 64,
      },
      "'rope_freqs.weight' divides by 0",
    ],
    [
      'rotary divisors of an absurd shape',
      {
        tensors: [...tinyTensors(), { name: 'rope_freqs.weight', dims: [8, 8], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 256,
      },
      "'rope_freqs.weight' has the shape [8, 8]",
    ],
    ['a fractional window', more(metadata.float32('llama.attention.sliding_window', 0.5)), 'sliding_window is 0.5'],
    ['missing metadata', { metadata: tinyMetadata().slice(0, -1) }, 'layer_norm_rms_epsilon'],
    [
      'metadata of the wrong type',
      {
        metadata: [...tinyMetadata().slice(0, -1), metadata.string('llama.attention.layer_norm_rms_epsilon', 'small')],
      },
      'is not a number',
    ],
    [
      'token types that do not match',
      more(
        metadata.string('tokenizer.ggml.model', 'gpt2'),
        metadata.array('tokenizer.ggml.tokens', 8, 1, string('a')),
        metadata.array('tokenizer.ggml.token_type', 5, 0, Buffer.alloc(0)),
      ),
      '1 tokens have 0 token types',
    ],
  ])('%s', async (_, parts, words) => {
    const error = await refusal(open(parts));
    expect(error.message).toContain(words);
    expect(error.code).toBe('checkpoint_invalid');
  });

  it.each<[string, Partial<GgufParts>, string]>([
    ['IQ4_XS', { tensors: tensors(gate, { type: 23 }) }, `'${gate}' is of type IQ4_XS, which is not read`],
    ['big endian', { version: 0x03000000 }, 'Big-endian'],
    ['version 1', { version: 1 }, 'version 1'],
    [
      'another architecture',
      { metadata: [metadata.string('general.architecture', 'mamba'), ...tinyMetadata().slice(1)] },
      "'mamba'. This version runs: llama, qwen2,",
    ],
    ['rotary scaling', more(metadata.string('llama.rope.scaling.type', 'yarn')), 'llama.rope.scaling.type (yarn)'],
    ['experts', more(metadata.uint32('llama.expert_count', 8)), 'llama.expert_count (8)'],
    [
      'another spelling of a tensor',
      {
        tensors: [...tinyTensors(), { ...tinyTensors()[1], name: 'blk.00.attn_norm.weight', offset: tinyDataBytes }],
        data: tinyDataBytes + 128,
      },
      "tensor 'blk.00.attn_norm.weight' (32 weights) has no place",
    ],
    ['a scaling factor without a type', more(metadata.float32('llama.rope.scaling.factor', 4)), 'without a type'],
    [
      'biases of what has none',
      {
        tensors: [...tinyTensors(), { name: 'blk.0.attn_norm.bias', dims: [8], type: 0, offset: tinyDataBytes }],
        data: tinyDataBytes + 32,
      },
      'blk.0.attn_norm.bias',
    ],
    [
      'partial rotary',
      more(metadata.uint32('llama.rope.dimension_count', 16)),
      'rope.dimension_count 16 where 32 is expected',
    ],
    ['split', more(metadata.uint32('split.count', 2)), 'split GGUF'],
    ['nested arrays', more(metadata.array('x', 9, 1, Buffer.alloc(16))), 'array of arrays'],
  ])('%s, as not supported', async (_, parts, words) => {
    const error = await refusal(open(parts));
    expect(error.message).toContain(words);
    expect(error.code).toBe('checkpoint_unsupported');
  });
});
