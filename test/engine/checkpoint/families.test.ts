import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { type FamilyFolder, familyFolders, familyPath } from '../../harness/families.ts';
import { refusal, temporaryFolder } from './fixtures.ts';

type Json = Record<string, unknown>;

/** A fixture with some of its config.json changed, and its tensors renamed or left out (null). */
async function changed(
  folder: FamilyFolder,
  config: Json,
  rename: (name: string) => string | null = (name) => name,
): Promise<string> {
  const path = join(await temporaryFolder(), folder);
  await cp(familyPath(folder), path, { recursive: true });
  const original = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Json;
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...original, ...config }));
  const weights = await readFile(join(path, 'model.safetensors'));
  const length = Number(weights.readBigUInt64LE(0));
  const header = JSON.parse(weights.subarray(8, 8 + length).toString()) as Json;
  const entries = Object.entries(header).map(([name, value]) => [name === '__metadata__' ? name : rename(name), value]);
  // Bytes that no tensor claims are refused, so those left out stay under a name that says so.
  const kept = entries.map(([name, value], at) => [name ?? `unclaimed.${at}`, value]);
  const bytes = Buffer.from(JSON.stringify(Object.fromEntries(kept)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(bytes.length));
  await writeFile(join(path, 'model.safetensors'), Buffer.concat([prefix, bytes, weights.subarray(8 + length)]));
  return path;
}

async function configOf(folder: FamilyFolder, config: Json = {}) {
  const checkpoint = await openCheckpoint(await changed(folder, config));
  await checkpoint.close();
  return checkpoint.config;
}

describe('a family says what its configuration means', () => {
  it('by features, never by its name', async () => {
    const gpt2 = await configOf('gpt2');
    expect(gpt2).toMatchObject({ family: 'gpt2', norm: 'layer', activation: 'gelu_tanh', gatedMlp: false });
    expect(gpt2).toMatchObject({ learnedPositions: true, rotary: [], mlpWidth: 128, tiedEmbeddings: true });
    expect(gpt2.layers).toEqual([
      { window: null, rotary: null },
      { window: null, rotary: null },
    ]);
    const neox = await configOf('gpt_neox');
    expect(neox).toMatchObject({ family: 'gpt_neox', parallelResidual: true, activation: 'gelu', norm: 'layer' });
    expect(neox.rotary).toEqual([{ dimensions: 4, base: 10_000, scaling: null }]);
    const biased = { queryKeyValue: true, attentionOutput: true, mlp: true };
    expect((await configOf('llama_biased')).biases).toEqual(biased);
    expect((await configOf('llama3')).biases).toEqual({ queryKeyValue: false, attentionOutput: false, mlp: false });
    const gemma2 = await configOf('gemma2');
    expect(gemma2).toMatchObject({ outputNorms: true, embeddingScale: Math.sqrt(32), finalSoftCap: 6 });
    expect(gemma2.attention).toEqual({ scale: 24 ** -0.5, softCap: 4 });
    expect(gemma2.layers.map(({ window }) => window)).toEqual([8, null]);
    const gemma3 = await configOf('gemma3');
    expect(gemma3).toMatchObject({ queryKeyNorm: true, finalSoftCap: null, attention: { softCap: null } });
    expect(gemma3.layers).toEqual([
      { window: 8, rotary: 1 },
      { window: 8, rotary: 1 },
      { window: null, rotary: 0 },
    ]);
    expect(gemma3.rotary.map(({ base }) => base)).toEqual([1_000_000, 10_000]);
    const { rotary } = await configOf('gemma3_multimodal');
    expect(rotary.map(({ scaling }) => scaling)).toEqual([{ kind: 'linear', factor: 8 }, null]);
  });

  it('in the words of transformers 5 as in those before', async () => {
    const llama = await configOf('llama3', {
      rope_scaling: null,
      rope_theta: null,
      rope_parameters: {
        ...{ rope_type: 'llama3', rope_theta: 10_000, factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
        original_max_position_embeddings: 32,
      },
    });
    expect(llama).toEqual(await configOf('llama3'));
    const neox = await configOf('gpt_neox', {
      rotary_pct: undefined,
      rotary_emb_base: undefined,
      rope_parameters: { rope_type: 'default', rope_theta: 10_000, partial_rotary_factor: 0.25 },
    });
    expect(neox).toEqual(await configOf('gpt_neox'));
    const gemma = await configOf('gemma3', {
      rope_theta: undefined,
      rope_local_base_freq: undefined,
      sliding_window_pattern: undefined,
      layer_types: ['sliding_attention', 'sliding_attention', 'full_attention'],
      rope_parameters: {
        full_attention: { rope_type: 'default', rope_theta: 1_000_000 },
        sliding_attention: { rope_type: 'default', rope_theta: 10_000 },
      },
    });
    expect(gemma).toEqual(await configOf('gemma3'));
  });

  it('windows of Qwen only where they are switched on, from the block on that is said', async () => {
    const windows = async (config: Json) => (await configOf('qwen2', config)).layers.map(({ window }) => window);
    expect(await windows({})).toEqual([null, null]);
    expect(await windows({ use_sliding_window: true })).toEqual([null, 32]);
    expect(await windows({ use_sliding_window: true, max_window_layers: 0 })).toEqual([32, 32]);
    const layer_types = ['sliding_attention', 'full_attention'];
    expect(await windows({ use_sliding_window: true, layer_types })).toEqual([32, null]);
  });

  it('no window of Mistral where it is null', async () => {
    expect((await configOf('mistral', { sliding_window: null })).layers.map(({ window }) => window)).toEqual([
      null,
      null,
    ]);
  });
});

describe('what is not implemented is refused by name', () => {
  const cases: readonly [FamilyFolder, Json, string][] = [
    ['llama3', { rope_scaling: { rope_type: 'yarn', factor: 4 } }, "rotary scaling of type 'yarn'"],
    ['mistral', { attention_bias: true }, 'attention_bias true'],
    ['mistral', { mlp_bias: true }, 'mlp_bias true'],
    ['mistral', { hidden_act: 'quick_gelu' }, "hidden_act 'quick_gelu'"],
    ['qwen2', { use_mrope: true }, 'use_mrope true'],
    ['qwen2', { layer_types: ['full_attention', 'linear_attention'] }, "layer_types 'linear_attention'"],
    ['qwen3', { attention_bias: true }, 'attention_bias true'],
    ['qwen3', { num_experts: 128 }, 'num_experts 128'],
    ['gpt2', { activation_function: 'tanh' }, "activation_function 'tanh'"],
    ['gpt2', { scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx true'],
    ['gpt2', { scale_attn_weights: false }, 'scale_attn_weights false'],
    ['gpt2', { add_cross_attention: true }, 'add_cross_attention true'],
    ['gpt_neox', { attention_bias: false }, 'attention_bias false'],
    ['gpt_neox', { hidden_act: 'mish' }, "hidden_act 'mish'"],
    ['gemma2', { hidden_activation: 'softplus' }, "hidden_activation 'softplus'"],
    ['gemma2', { use_bidirectional_attention: true }, 'use_bidirectional_attention true'],
    ['gemma3', { rope_scaling: { rope_type: 'longrope' } }, "rotary scaling of type 'longrope'"],
    ['gemma3_multimodal', { audio_config: {} }, 'audio_config {}'],
    ...familyFolders.map((folder): [FamilyFolder, Json, string] => [folder, { sparse_mixer: 2 }, 'sparse_mixer 2']),
    ...familyFolders.map((folder): [FamilyFolder, Json, string] => {
      return [folder, { quantization_config: { bits: 4 } }, 'quantization_config {"bits":4}'];
    }),
  ];
  it.each(cases)('%s with %j', async (folder, config, words) => {
    const error = await refusal(openCheckpoint(await changed(folder, config)));
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain(words);
  });

  const wrong: readonly [FamilyFolder, Json, string][] = [
    ['gpt2', { n_head: 3 }, 'width of a head'],
    ['gpt2', { n_layer: 1e9 }, 'number of blocks'],
    ['gpt2', { layer_norm_epsilon: 'small' }, 'layer_norm_epsilon'],
    ['gpt_neox', { rotary_pct: 0 }, '0 dimensions of a head'],
    ['gpt_neox', { rotary_pct: 1.5 }, '24 dimensions of a head of 16'],
    ['gemma2', { query_pre_attn_scalar: 0 }, 'scale of attention scores'],
    ['gemma2', { attn_logit_softcapping: -1 }, 'cap of attention scores'],
    ['gemma2', { sliding_window: 0 }, 'sliding_window is 0'],
    ['gemma3', { layer_types: ['full_attention'] }, 'layer_types names 1 blocks of 3'],
    ['gemma3', { num_hidden_layers: -1 }, 'number of blocks'],
    [
      'llama3',
      {
        rope_scaling: {
          rope_type: 'llama3',
          factor: 8,
          low_freq_factor: 4,
          high_freq_factor: 4,
          original_max_position_embeddings: 32,
        },
      },
      'high_freq_factor',
    ],
  ];
  it.each(wrong)('%s with %j is wrong', async (folder, config, words) => {
    const error = await refusal(openCheckpoint(await changed(folder, config)));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain(words);
  });
});

describe('tensors under the names that are published', () => {
  const opened = async (folder: FamilyFolder, rename: (name: string) => string | null) => {
    const checkpoint = await openCheckpoint(await changed(folder, {}, rename));
    await checkpoint.close();
    return checkpoint.tensors.size;
  };
  const sizes = new Map<FamilyFolder, number>();
  const size = async (folder: FamilyFolder) => {
    if (!sizes.has(folder)) sizes.set(folder, await opened(folder, (name) => name));
    return sizes.get(folder);
  };

  it.each<[string, FamilyFolder, (name: string) => string]>([
    ['GPT-2 as a language model saves itself', 'gpt2', (name) => `transformer.${name}`],
    ['Pythia with its unembedding under its own name', 'gpt_neox', (name) => name.replace('lm_head', 'embed_out')],
    [
      'Gemma 3 with images as transformers 4.52 names it',
      'gemma3_multimodal',
      (name) => name.replace('language_model.model.', 'model.language_model.').replace(/^(vision|multi)/, 'model.$1'),
    ],
  ])('%s', async (_, folder, rename) => {
    expect(await opened(folder, rename)).toBe(await size(folder));
  });

  it('lists what is missing, ten names and how many more', async () => {
    const error = await refusal(
      changed('gpt_neox', {}, (name) => (name.includes('layers.1') ? null : name)).then(openCheckpoint),
    );
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message.match(/lacks tensor/g)).toHaveLength(10);
    expect(error.message).toContain("lacks tensor 'gpt_neox.layers.1.input_layernorm.weight'");
    expect(error.message).toMatch(/; and \d+ more\.$/);
  });

  it('lists what is misshapen as the file has it', async () => {
    const error = await refusal(openCheckpoint(await changed('gpt2', { n_inner: 64 })));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain("'h.0.mlp.c_fc.weight' has the shape [32, 128], the configuration wants [32, 64]");
    expect(error.message).toContain(
      "'h.1.mlp.c_proj.weight' has the shape [128, 32], the configuration wants [64, 32]",
    );
  });

  it('lists what has no place', async () => {
    const error = await refusal(
      openCheckpoint(
        await changed('gemma3', { model_type: 'gemma2', sliding_window_pattern: null, rope_local_base_freq: null }),
      ),
    );
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain("'model.layers.0.self_attn.k_norm.weight' (16 weights)");
    expect(error.message).toContain('have no place in the gemma2 family');
  });

  it('refuses one weight under two names', async () => {
    const both = (name: string) => (name === 'gpt_neox.layers.0.attention.masked_bias' ? 'embed_out.weight' : name);
    const error = await refusal(openCheckpoint(await changed('gpt_neox', {}, both)));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain('are one tensor');
  });
});
