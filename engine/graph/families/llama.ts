import type { ModelConfig } from '../../core/index.ts';
import { addAttention } from '../attention.ts';
import { addGatedUnit } from '../gated-unit.ts';
import type { LinearBuilder } from '../linear.ts';
import type { GraphOptions } from '../names.ts';
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
  options: GraphOptions,
) {
  const { dModel, mlpWidth, heads, keyValueHeads, headDim } = config;
  const prefix = `model.layers.${block}`;
  const at = (name: string) => `blocks.${block}.${name}`;
  const part = (name: string, weight: string, out: number) => {
    return { name: at(name), weight: `${prefix}.${weight}.weight`, out };
  };
  const linear = (name: string, x: string, weight: string, out: number, width: number, mayFlatten = false) => {
    const group = `${prefix}.${weight}`;
    const how = { tokens: 'all', mayFlatten, mayLeaveScale: true } as const;
    return linears.add({ name: at(name), x, width, group, ...how, weights: [part(name, weight, out)] });
  };

  // The place before block L > 0 is the place after block L − 1.
  const entry = block === 0 ? at('hook_resid_pre') : `blocks.${block - 1}.hook_resid_post`;
  const attentionGroup = `${prefix}.self_attn.qkv_proj`;
  const entryWeight = graph.weight(`${prefix}.input_layernorm.weight`, [dModel]);
  const attentionIn = stream.normalized(entry, entryWeight, attentionGroup);
  const projected = linears.addPacked({
    name: at('attn.qkv'),
    x: attentionIn,
    width: dModel,
    group: attentionGroup,
    tokens: 'all',
    mayLeaveScale: true,
    weights: [
      part('attn.q', 'self_attn.q_proj', heads * headDim),
      part('attn.k', 'self_attn.k_proj', keyValueHeads * headDim),
      part('attn.v', 'self_attn.v_proj', keyValueHeads * headDim),
    ],
  });
  const rowScale = linears.rowScale(projected[0] ?? '');
  const attention = addAttention(graph, config, { block, context, projected, rowScale, ...options });
  stream.add(linear('attn.o', attention, 'self_attn.o_proj', dModel, heads * headDim));

  const mlpWeight = graph.weight(`${prefix}.post_attention_layernorm.weight`, [dModel]);
  const mlpIn = stream.normalized(at('hook_resid_mid'), mlpWeight, `${prefix}.mlp.gate_proj`);
  const gate = linear('mlp.gate', mlpIn, 'mlp.gate_proj', mlpWidth, dModel, true);
  const up = linear('mlp.up', mlpIn, 'mlp.up_proj', mlpWidth, dModel, true);
  const unit = { name: at('mlp.post'), gate, up, reader: `${prefix}.mlp.down_proj`, operators: options.operators };
  const hidden = addGatedUnit(graph, linears, unit);
  stream.add(linear('mlp.down', hidden, 'mlp.down_proj', dModel, mlpWidth));
}
