import type { ModelConfig } from '../core/index.ts';
import { addAttention, rotatesApart } from './attention.ts';
import type { LinearBuilder } from './linear.ts';
import { addMlp } from './mlp.ts';
import type { GraphOptions } from './names.ts';
import { addNorm, normWeights } from './norm.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';
import { addHeadNorm, separate } from './projections.ts';
import type { ResidualStream } from './stream.ts';

/** Where a block is built, and for what. */
export interface BlockPlace {
  readonly block: number;
  /** Tokens that a cache slot holds. */
  readonly context: number;
  readonly positions: Positions;
  readonly options: GraphOptions;
}

/**
 * A decoder's block, by what its configuration says of it:
 *
 *     x ─ hook_resid_pre ─ norm ─ q,k,v ─ attention ─ o ─ [norm] ─(+)─ hook_resid_mid ─ norm ─ MLP ─ [norm] ─(+)─ hook_resid_post
 *
 * and, where the residual is parallel, with attention and MLP reading hook_resid_pre both.
 */
export function addBlock(
  graph: OnnxGraph,
  stream: ResidualStream,
  linears: LinearBuilder,
  config: ModelConfig,
  place: BlockPlace,
): void {
  const { block, context, positions, options } = place;
  const { dModel, heads, keyValueHeads, headDim, biases, outputNorms, parallelResidual } = config;
  const prefix = `model.layers.${block}`;
  const at = (name: string) => `blocks.${block}.${name}`;
  const norm = (module: string) => normWeights(graph, config.norm, `${prefix}.${module}`, dModel);
  // What is normalised or has a bias added to it cannot bear a scale that is left over.
  const mayLeaveScale = !outputNorms && !parallelResidual && config.norm === 'rms';
  const toStream = (name: string, output: string, module: string) => {
    stream.add(outputNorms ? addNorm(graph, config, `${at(name)}/norm`, output, norm(module)) : output);
  };

  // The place before block L > 0 is the place after block L − 1.
  const entry = block === 0 ? at('hook_resid_pre') : `blocks.${block - 1}.hook_resid_post`;
  const attentionGroup = `${prefix}.self_attn.qkv_proj`;
  const attentionIn = stream.normalized(entry, norm('input_layernorm'), attentionGroup);
  const part = (name: string, count: number) => {
    const out = count * headDim;
    return { name: at(`attn.${name}`), weight: `${prefix}.self_attn.${name}_proj.weight`, out };
  };
  const parts = [part('q', heads), part('k', keyValueHeads), part('v', keyValueHeads)] as const;
  const apart = biases.queryKeyValue || config.queryKeyNorm || rotatesApart(config, block, options.operators);
  const packed = linears.addPacked({
    name: at('attn.qkv'),
    x: attentionIn,
    width: dModel,
    group: attentionGroup,
    tokens: 'all',
    mayLeaveScale: !apart,
    weights: apart ? parts.map((one) => ({ ...one, name: `${one.name}/product` })) : parts,
  });
  const projected = apart ? separate(graph, packed, parts, biases.queryKeyValue) : [...packed];
  if (config.queryKeyNorm) {
    for (const [i, name] of ['q', 'k'].entries()) {
      const weight = graph.weight(`${prefix}.self_attn.${name}_norm.weight`, [headDim]);
      projected[i] = addHeadNorm(graph, config, projected[i] ?? '', weight);
    }
  }
  const rowScale = linears.rowScale(projected[0] ?? '');
  const z = addAttention(graph, config, { block, context, positions, projected, rowScale, ...options });
  const output = linears.addSingle({
    name: at('attn.o'),
    x: z,
    module: `${prefix}.self_attn.o_proj`,
    width: heads * headDim,
    out: dModel,
    bias: biases.attentionOutput,
    mayLeaveScale,
  });
  toStream('attn.o', output, 'attention_output_layernorm');

  const mlpNorm = norm('post_attention_layernorm');
  const reader = config.gatedMlp ? `${prefix}.mlp.gate_proj` : `${prefix}.mlp.up_proj`;
  const mlpIn = parallelResidual
    ? addNorm(graph, config, at('mlp.in'), stream.current, mlpNorm)
    : stream.normalized(at('hook_resid_mid'), mlpNorm, reader);
  const hidden = addMlp(graph, linears, config, { block, x: mlpIn, operators: options.operators });
  const added = linears.addSingle({
    name: at('mlp.down'),
    x: hidden,
    module: `${prefix}.mlp.down_proj`,
    width: config.mlpWidth,
    out: dModel,
    bias: biases.mlp,
    mayLeaveScale,
  });
  toStream('mlp.down', added, 'mlp_output_layernorm');
}
