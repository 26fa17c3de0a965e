import type { ModelConfig } from '../core/index.ts';
import { addAttention, rotatesApart, tapRotated } from './attention.ts';
import type { LinearBuilder } from './linear.ts';
import { addMlp } from './mlp.ts';
import type { GraphOptions } from './names.ts';
import { addNorm, normWeights } from './norm.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';
import { addHeadNorm, separate } from './projections.ts';
import type { ResidualStream } from './stream.ts';
import type { Taps } from './taps.ts';

/** Where a block is built, and for what. */
export interface BlockPlace {
  readonly block: number;
  /** Tokens that a cache slot holds. */
  readonly context: number;
  readonly positions: Positions;
  readonly taps: Taps;
  readonly options: GraphOptions;
}

/** What a sublayer's way into the stream is called. */
interface OutputNames {
  /** Its norm's weights, where it has one. */
  readonly module: string;
  readonly hook: string;
  readonly normHook: string;
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
  const { block, context, positions, taps, options } = place;
  const { dModel, heads, keyValueHeads, headDim, biases, outputNorms, parallelResidual } = config;
  const prefix = `model.layers.${block}`;
  const at = (name: string) => `blocks.${block}.${name}`;
  const norm = (module: string) => normWeights(graph, config.norm, `${prefix}.${module}`, dModel);
  // What is normalised or has a bias added to it cannot bear a scale that is left over.
  const mayLeaveScale = !outputNorms && !parallelResidual && config.norm === 'rms';
  const toStream = (output: string, sublayer: OutputNames) => {
    const { module, hook, normHook } = sublayer;
    if (outputNorms) taps.offerNorm(normHook, output, config);
    const added = outputNorms ? addNorm(graph, config, `${hook}/norm`, output, norm(module)) : output;
    taps.offer(hook, added, dModel);
    stream.add(added);
  };

  // The place before block L > 0 is the place after block L − 1.
  const entry = block === 0 ? at('hook_resid_pre') : `blocks.${block - 1}.hook_resid_post`;
  const attentionGroup = `${prefix}.self_attn.qkv_proj`;
  const attentionIn = stream.normalized(entry, norm('input_layernorm'), attentionGroup);
  taps.offerNorm(at('ln1'), stream.current, config);
  const part = (name: string, count: number) => {
    const out = count * headDim;
    return { name: at(`attn.${name}`), weight: `${prefix}.self_attn.${name}_proj.weight`, out };
  };
  const parts = [part('q', heads), part('k', keyValueHeads), part('v', keyValueHeads)] as const;
  const hooks = ['q', 'k', 'v', 'rot_q', 'rot_k'].map((name) => at(`attn.hook_${name}`));
  // GroupQueryAttention's shape inference takes z for empty where queries, keys and values stand side by side.
  const wantsApart = options.operators === 'onnxruntime' ? [...hooks, at('attn.hook_z')] : hooks;
  const apart =
    taps.wants(...wantsApart) ||
    biases.queryKeyValue ||
    config.queryKeyNorm ||
    rotatesApart(config, block, options.operators);
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
  if (apart) {
    for (const [i, { out }] of parts.entries()) taps.offer(hooks[i] ?? '', projected[i] ?? '', out);
  }
  if (config.queryKeyNorm) {
    for (const [i, name] of ['q', 'k'].entries()) {
      const weight = graph.weight(`${prefix}.self_attn.${name}_norm.weight`, [headDim]);
      projected[i] = addHeadNorm(graph, config, projected[i] ?? '', weight);
    }
  }
  const rowScale = linears.rowScale(projected[0] ?? '');
  const inputs = { block, context, positions, projected, rowScale, ...options };
  if (apart) tapRotated(graph, config, inputs, taps);
  const z = addAttention(graph, config, inputs);
  taps.offer(at('attn.hook_z'), z, heads * headDim);
  const output = linears.addSingle({
    name: at('attn.o'),
    x: z,
    module: `${prefix}.self_attn.o_proj`,
    width: heads * headDim,
    out: dModel,
    bias: biases.attentionOutput,
    mayLeaveScale: mayLeaveScale && !taps.wants(at('hook_attn_out')),
  });
  toStream(output, {
    module: 'attention_output_layernorm',
    hook: at('hook_attn_out'),
    normHook: at('ln1_post'),
  });

  const mlpNorm = norm('post_attention_layernorm');
  const gateOrUp = `${prefix}.mlp.${config.gatedMlp ? 'gate' : 'up'}_proj`;
  const reader = taps.wants(at('mlp.hook_in')) ? null : gateOrUp;
  const mlpIn = parallelResidual
    ? addNorm(graph, config, at('mlp.in'), stream.current, mlpNorm)
    : stream.normalized(at('hook_resid_mid'), mlpNorm, reader);
  taps.offerNorm(at('ln2'), stream.current, config);
  taps.offer(at('mlp.hook_in'), mlpIn, dModel);
  const hidden = addMlp(graph, linears, config, { block, x: mlpIn, taps, operators: options.operators });
  const added = linears.addSingle({
    name: at('mlp.down'),
    x: hidden,
    module: `${prefix}.mlp.down_proj`,
    width: config.mlpWidth,
    out: dModel,
    bias: biases.mlp,
    mayLeaveScale: mayLeaveScale && !taps.wants(at('mlp.hook_out'), at('hook_mlp_out')),
  });
  taps.offer(at('mlp.hook_out'), added, dModel);
  toStream(added, { module: 'mlp_output_layernorm', hook: at('hook_mlp_out'), normHook: at('ln2_post') });
}
