import type { ModelConfig } from '../core/index.ts';
import { addAttention, rotatesApart, tapRotated } from './attention.ts';
import { patternHooks, tapPattern } from './attention-pattern.ts';
import type { LinearBuilder } from './linear.ts';
import { addMlp, mlpEntryGroup } from './mlp.ts';
import type { GraphOptions } from './names.ts';
import { addNorm, normWeights } from './norm.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';
import { addHeadNorm, separate } from './projections.ts';
import type { Sites } from './sites.ts';
import type { ResidualStream } from './stream.ts';
import type { VisibleKeys } from './visible-keys.ts';

/** Where a block is built, and for what. */
export interface BlockPlace {
  readonly block: number;
  /** Tokens that a cache slot holds. */
  readonly context: number;
  readonly positions: Positions;
  readonly keys: VisibleKeys;
  readonly sites: Sites;
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
  const { block, context, positions, keys, sites, options } = place;
  const { dModel, heads, keyValueHeads, headDim, biases, outputNorms, parallelResidual } = config;
  const prefix = `model.layers.${block}`;
  const at = (name: string) => `blocks.${block}.${name}`;
  const norm = (module: string) => normWeights(graph, config.norm, `${prefix}.${module}`, dModel);
  // What is normalised or has a bias added to it cannot bear a scale that is left over.
  const mayLeaveScale = !outputNorms && !parallelResidual && config.norm === 'rms';
  const toStream = (output: string, { module, hook, normHook }: OutputNames) => {
    let added = output;
    if (outputNorms) {
      const weights = norm(module);
      const made = addNorm(graph, config, `${hook}/norm`, output, weights);
      added = sites.passNorm(normHook, { x: output, made, weights }, config);
    }
    stream.add(sites.pass(hook, added, dModel));
  };

  // The place before block L > 0 is the place after block L − 1.
  const entry = block === 0 ? at('hook_resid_pre') : `blocks.${block - 1}.hook_resid_post`;
  const attentionGroup = `${prefix}.self_attn.qkv_proj`;
  const attentionNorm = norm('input_layernorm');
  const entered = stream.normalized(entry, attentionNorm, attentionGroup);
  const attentionIn = sites.passNorm(at('ln1'), { x: stream.current, made: entered, weights: attentionNorm }, config);
  const part = (name: string, count: number) => {
    const out = count * headDim;
    return { name: at(`attn.${name}`), weight: `${prefix}.self_attn.${name}_proj.weight`, out };
  };
  const parts = [part('q', heads), part('k', keyValueHeads), part('v', keyValueHeads)] as const;
  const hooks = ['q', 'k', 'v', 'rot_q', 'rot_k'].map((name) => at(`attn.hook_${name}`));
  // GroupQueryAttention's shape inference takes z for empty where queries, keys and values stand side by side.
  const wantsApart = options.operators === 'onnxruntime' ? [...hooks, at('attn.hook_z')] : hooks;
  const apart =
    sites.wants(...wantsApart, ...Object.values(patternHooks(block))) ||
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
    for (const [i, { out }] of parts.entries()) projected[i] = sites.pass(hooks[i] ?? '', projected[i] ?? '', out);
  }
  if (config.queryKeyNorm) {
    for (const [i, name] of ['q', 'k'].entries()) {
      const weight = graph.weight(`${prefix}.self_attn.${name}_norm.weight`, [headDim]);
      projected[i] = addHeadNorm(graph, config, projected[i] ?? '', weight);
    }
  }
  const rowScale = linears.rowScale(projected[0] ?? '');
  const inputs = { block, context, positions, projected, rowScale, ...options };
  const queries = apart ? tapRotated(graph, config, inputs, sites) : '';
  const attended = addAttention(graph, config, inputs);
  if (apart) tapPattern(graph, config, { block, queries, z: attended, keys, ...options }, sites);
  const z = sites.pass(at('attn.hook_z'), attended, heads * headDim);
  const output = linears.addSingle({
    name: at('attn.o'),
    x: z,
    module: `${prefix}.self_attn.o_proj`,
    width: heads * headDim,
    out: dModel,
    bias: biases.attentionOutput,
    mayLeaveScale: mayLeaveScale && !sites.wants(at('hook_attn_out')),
  });
  toStream(output, {
    module: 'attention_output_layernorm',
    hook: at('hook_attn_out'),
    normHook: at('ln1_post'),
  });

  const mlpNorm = norm('post_attention_layernorm');
  const reader = sites.wants(at('mlp.hook_in')) ? null : mlpEntryGroup(config, block);
  const read = parallelResidual
    ? addNorm(graph, config, at('mlp.in'), stream.current, mlpNorm)
    : stream.normalized(at('hook_resid_mid'), mlpNorm, reader);
  const normalised = sites.passNorm(at('ln2'), { x: stream.current, made: read, weights: mlpNorm }, config);
  const mlpIn = sites.pass(at('mlp.hook_in'), normalised, dModel);
  const hidden = addMlp(graph, linears, config, { block, x: mlpIn, sites, operators: options.operators });
  const product = linears.addSingle({
    name: at('mlp.down'),
    x: hidden,
    module: `${prefix}.mlp.down_proj`,
    width: config.mlpWidth,
    out: dModel,
    bias: biases.mlp,
    mayLeaveScale: mayLeaveScale && !sites.wants(at('mlp.hook_out'), at('hook_mlp_out')),
  });
  toStream(sites.pass(at('mlp.hook_out'), product, dModel), {
    module: 'mlp_output_layernorm',
    hook: at('hook_mlp_out'),
    normHook: at('ln2_post'),
  });
}
