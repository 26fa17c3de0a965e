import type { ModelConfig } from '../../engine/core/index.ts';

/** A linear layer as a test wants it computed: `x` is one token, the result one number an output. */
export type ReferenceLinear = (group: string, x: Float64Array) => Float64Array;

/** What the decoder needs besides its linear layers: the embedding and the norms, by Hugging Face's names. */
export type ReferenceWeights = (name: string) => Float32Array;

/**
 * A llama in plain double precision, token by token, with the linear layers left to the caller: the reference for arithmetic that Hugging
 * Face does not have (quantised layers). Returns the logits of every token.
 *
 * `stored` is what the cache makes of a key's or value's number. Groups are those of engine/checkpoint/linear-groups.ts; `…qkv_proj` gives queries, keys and values side by side.
 */
export function referenceLlama(
  config: ModelConfig,
  weights: ReferenceWeights,
  linear: ReferenceLinear,
  ids: readonly number[],
  stored: (keyOrValue: number) => number = (same) => same,
): Float64Array[] {
  const { dModel, blocks, heads, keyValueHeads, headDim } = config;
  const embedding = weights('model.embed_tokens.weight');
  const cache = Array.from({ length: blocks }, () => ({ keys: [] as Float64Array[], values: [] as Float64Array[] }));
  return ids.map((id, position) => {
    let x: Float64Array = Float64Array.from(embedding.subarray(id * dModel, (id + 1) * dModel));
    for (let block = 0; block < blocks; block++) {
      const at = (name: string) => `model.layers.${block}.${name}`;
      const qkv = linear(at('self_attn.qkv_proj'), norm(x, weights(at('input_layernorm.weight')), config));
      const queries = qkv.slice(0, heads * headDim);
      const keys = qkv.slice(heads * headDim, (heads + keyValueHeads) * headDim);
      rotate(queries, position, config);
      rotate(keys, position, config);
      const held = cache[block] as (typeof cache)[number];
      held.keys.push(keys.map(stored));
      held.values.push(qkv.slice((heads + keyValueHeads) * headDim).map(stored));
      x = sum(x, linear(at('self_attn.o_proj'), attend(queries, held, config)));
      const mlpIn = norm(x, weights(at('post_attention_layernorm.weight')), config);
      const gateUp = linear(at('mlp.gate_up_proj'), mlpIn);
      const gate = gateUp.subarray(0, config.mlpWidth);
      const up = gateUp.subarray(config.mlpWidth);
      x = sum(
        x,
        linear(
          at('mlp.down_proj'),
          gate.map((g, i) => (g / (1 + Math.exp(-g))) * (up[i] as number)),
        ),
      );
    }
    return linear('unembedding', norm(x, weights('model.norm.weight'), config));
  });
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] as number));
}

function norm(x: Float64Array, weight: Float32Array, { normEpsilon }: ModelConfig): Float64Array {
  const mean = x.reduce((total, value) => total + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + normEpsilon)) * (weight[i] as number));
}

/** Rotates each head's pairs (i, i + head/2) in place. */
function rotate(values: Float64Array, position: number, { headDim, rotary }: ModelConfig): void {
  const base = rotary[0]?.base ?? Number.NaN;
  const half = headDim / 2;
  for (let head = 0; head < values.length; head += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-i / half);
      const [a, b] = [values[head + i] as number, values[head + half + i] as number];
      values[head + i] = a * Math.cos(angle) - b * Math.sin(angle);
      values[head + half + i] = b * Math.cos(angle) + a * Math.sin(angle);
    }
  }
}

function attend(
  queries: Float64Array,
  held: { readonly keys: readonly Float64Array[]; readonly values: readonly Float64Array[] },
  { heads, keyValueHeads, headDim }: ModelConfig,
): Float64Array {
  const out = new Float64Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const from = Math.floor((head * keyValueHeads) / heads) * headDim;
    const query = queries.subarray(head * headDim, (head + 1) * headDim);
    const scores = held.keys.map((key) => dot(query, key.subarray(from, from + headDim)) / Math.sqrt(headDim));
    const largest = Math.max(...scores);
    const exponentials = scores.map((score) => Math.exp(score - largest));
    const total = exponentials.reduce((all, value) => all + value, 0);
    for (const [t, value] of held.values.entries()) {
      for (let i = 0; i < headDim; i++)
        out[head * headDim + i] += ((exponentials[t] as number) / total) * (value[from + i] as number);
    }
  }
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, value, i) => total + value * (b[i] as number), 0);
}
