import type { ModelConfig } from '../../core/index.ts';
import type { LinearBuilder } from '../linear.ts';
import { ports, rotaryTables } from '../names.ts';
import type { OnnxGraph } from '../onnx.ts';
import type { ResidualStream } from '../stream.ts';

/**
 * The Llama block (Touvron et al. 2023; transformers modeling_llama.py): RMS norms before attention and MLP, rotary
 * grouped-query attention, SwiGLU, no biases.
 *
 *     x ─ hook_resid_pre ─ norm ─ q,k,v ─ attention ─ o ─(+)─ hook_resid_mid ─ norm ─ silu(gate)·up ─ down ─(+)─ hook_resid_post
 */
export function addLlamaBlock(
  graph: OnnxGraph,
  stream: ResidualStream,
  linears: LinearBuilder,
  config: ModelConfig,
  block: number,
  context: number,
) {
  const { dModel, mlpWidth, heads, keyValueHeads, headDim } = config;
  const prefix = `model.layers.${block}`;
  const at = (name: string) => `blocks.${block}.${name}`;
  const part = (name: string, weight: string, out: number) => {
    return { name: at(name), weight: `${prefix}.${weight}.weight`, out };
  };
  const linear = (name: string, x: string, weight: string, out: number, width: number, mayFlatten = false) => {
    const weights = [part(name, weight, out)];
    return linears.add({ name: at(name), x, width, group: `${prefix}.${weight}`, tokens: 'all', mayFlatten, weights });
  };

  // The place before block L > 0 is the place after block L − 1.
  const entry = block === 0 ? at('hook_resid_pre') : `blocks.${block - 1}.hook_resid_post`;
  const attentionIn = stream.normalized(entry, graph.weight(`${prefix}.input_layernorm.weight`, [dModel]));
  const projected = linears.addPacked({
    name: at('attn.qkv'),
    x: attentionIn,
    width: dModel,
    group: `${prefix}.self_attn.qkv_proj`,
    tokens: 'all',
    weights: [
      part('attn.q', 'self_attn.q_proj', heads * headDim),
      part('attn.k', 'self_attn.k_proj', keyValueHeads * headDim),
      part('attn.v', 'self_attn.v_proj', keyValueHeads * headDim),
    ],
  });
  const attention = addAttention(graph, config, block, context, projected);
  stream.add(linear('attn.o', attention, 'self_attn.o_proj', dModel, heads * headDim));

  const mlpWeight = graph.weight(`${prefix}.post_attention_layernorm.weight`, [dModel]);
  const mlpIn = stream.normalized(at('hook_resid_mid'), mlpWeight);
  const gate = linear('mlp.gate', mlpIn, 'mlp.gate_proj', mlpWidth, dModel, true);
  const up = linear('mlp.up', mlpIn, 'mlp.up_proj', mlpWidth, dModel, true);
  const sigmoid = graph.node(at('mlp.sigmoid'), 'Sigmoid', [gate]);
  const activated = graph.node(at('mlp.silu'), 'Mul', [gate, sigmoid]);
  const hidden = graph.node(at('mlp.post'), 'Mul', [activated, up]);
  stream.add(linear('mlp.down', hidden, 'mlp.down_proj', dModel, mlpWidth));
}

/**
 * GroupQueryAttention over this block's cache, which is read and written in place. `projected` is queries, keys and values, or one
 * tensor with the three side by side.
 */
function addAttention(
  graph: OnnxGraph,
  config: ModelConfig,
  block: number,
  context: number,
  projected: readonly string[],
): string {
  const { heads, keyValueHeads, headDim } = config;
  const cache = ['B', keyValueHeads, context, headDim] as const;
  const past = [ports.pastKey(block), ports.pastValue(block)];
  const present = [ports.presentKey(block), ports.presentValue(block)];
  for (const name of past) graph.input(name, 'float32', cache);
  for (const name of present) graph.output(name, 'float32', cache);
  const table = [context, headDim / 2];
  const rotary = [graph.weight(rotaryTables.cosine, table), graph.weight(rotaryTables.sine, table)];
  const name = `blocks.${block}.attn.z`;
  return graph.node(
    name,
    'GroupQueryAttention',
    [
      projected[0] ?? '',
      projected[1] ?? '',
      projected[2] ?? '',
      ...past,
      ports.lastPositions,
      ports.totalLength,
      ...rotary,
    ],
    {
      attributes: { num_heads: heads, kv_num_heads: keyValueHeads, do_rotary: 1, rotary_interleaved: 0 },
      domain: 'com.microsoft',
      outputs: [name, ...present],
    },
  );
}
