import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { refusal, temporaryFolder, tinyLlama } from './fixtures.ts';

/** tiny-llama with some of its JSON changed. */
async function changed(config: object, others: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  await cp(join(tinyLlama, 'f32'), folder, { recursive: true });
  const original: object = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...original, ...config }));
  for (const [name, value] of Object.entries(others)) await writeFile(join(folder, name), JSON.stringify(value));
  return folder;
}

async function configOf(config: object, others?: Readonly<Record<string, unknown>>) {
  const checkpoint = await openCheckpoint(await changed(config, others));
  await checkpoint.close();
  return checkpoint.config;
}

describe('config.json', () => {
  it('takes the older spelling of the rotary base, derives the width of a head, and tolerates what does not matter', async () => {
    const config = await configOf({
      rope_parameters: undefined,
      rope_theta: 500_000,
      rope_scaling: null,
      head_dim: null,
      pretraining_tp: 4,
      sliding_window: null,
      some_future_field: null,
      _attn_implementation_autoset: true,
      'transformers.js_config': { dtype: 'q4' },
    });
    expect(config.rotary).toEqual([{ dimensions: 16, base: 500_000, scaling: null }]);
    expect(config.headDim).toBe(16);
  });

  it('takes ends of a reply from every file that names them', async () => {
    const config = await configOf(
      { eos_token_id: 0 },
      {
        'generation_config.json': { eos_token_id: [5, 2] },
        'tokenizer_config.json': { eos_token: { content: '<|im_start|>' } },
      },
    );
    expect(config.eosTokenIds).toEqual([0, 1, 2, 5]);
  });

  it('finds the token that the tokenizer prepends', async () => {
    const tokenizer: object = JSON.parse(await readFile(join(tinyLlama, 'f32/tokenizer.json'), 'utf8'));
    const post_processor = {
      type: 'Sequence',
      processors: [
        { type: 'ByteLevel' },
        {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
          special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
        },
      ],
    };
    expect((await configOf({}, { 'tokenizer.json': { ...tokenizer, post_processor } })).bosTokenId).toBe(1);
    expect((await configOf({})).bosTokenId).toBeNull();
  });

  it.each([
    [{ model_type: 'gpt_neo' }, "'gpt_neo'. This version runs: llama, qwen2, qwen3, gpt2, gpt_neox, gemma2, gemma3"],
    [{ some_future_field: { a: 1 } }, 'some_future_field {"a":1}'],
    [{ rope_scaling: { rope_type: 'dynamic', factor: 8 } }, "type 'dynamic'"],
    [{ rope_parameters: { rope_type: 'yarn', rope_theta: 1e4 } }, "type 'yarn'"],
    [{ rope_scaling: { type: 'linear', factor: 2, attention_factor: 1.5 } }, 'attention_factor'],
    [
      { rope_parameters: { rope_type: 'default', rope_theta: 1e4, partial_rotary_factor: 0.5 } },
      'partial_rotary_factor',
    ],
    [{ sliding_window: 4096 }, 'sliding_window'],
    [{ hidden_act: 'gelu' }, 'gelu'],
    [{ quantization_config: { quant_method: 'gptq' } }, 'quantization_config'],
  ])('refuses %j rather than ignoring it', async (config, words) => {
    const error = await refusal(openCheckpoint(await changed(config)));
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain(words);
  });

  it.each([
    [{ hidden_size: 'wide' }, 'hidden_size'],
    [{ hidden_size: 0 }, 'width of the stream'],
    [{ num_hidden_layers: 1e9 }, 'number of blocks'],
    [{ num_hidden_layers: 4 }, "lacks tensor 'model.layers.3.input_layernorm.weight'"],
    [{ num_key_value_heads: 3 }, 'key-value heads'],
    [{ head_dim: 15 }, 'odd'],
    [
      { head_dim: 8 },
      "'model.layers.0.self_attn.q_proj.weight' has the shape [64, 64], the configuration wants [32, 64]",
    ],
    [{ vocab_size: 511 }, "'model.embed_tokens.weight'"],
    [{ rms_norm_eps: -1 }, 'epsilon'],
    [{ rope_parameters: { rope_theta: 0 } }, 'rotary base'],
    [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'low_freq_factor'],
    [{ rope_scaling: { rope_type: 'linear', factor: 0 } }, 'factor'],
    [{ tie_word_embeddings: false }, "lacks tensor 'lm_head.weight'"],
    [{ attention_bias: true }, "lacks tensor 'model.layers.0.self_attn.q_proj.bias'"],
    [{ mlp_bias: true }, "lacks tensor 'model.layers.0.mlp.gate_proj.bias'"],
    [{ mlp_bias: 'yes' }, 'mlp_bias'],
    [{ eos_token_id: 512 }, 'token 512'],
    [{ model_type: undefined }, 'model_type'],
  ])('refuses %j as wrong', async (config, words) => {
    const error = await refusal(openCheckpoint(await changed(config)));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain(words);
  });

  it('refuses tensors that the family has no place for', async () => {
    const error = await refusal(openCheckpoint(await changed({ num_hidden_layers: 2 })));
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain('model.layers.2.');
  });
});
