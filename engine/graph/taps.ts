import { type ModelConfig, TillerError } from '../core/index.ts';
import { ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

/** Hook points that no graph gives: what stands in front of the reason, and the reason. */
const refused: readonly { readonly names: RegExp; readonly reason: string }[] = [
  {
    names: /^blocks\.\d+\.attn\.hook_(attn_scores|pattern)$/,
    reason:
      'attention makes its scores a few keys at a time and keeps none of them. Tap hook_rot_q and hook_rot_k instead.',
  },
];

/** The activations that a variant gives out besides its logits. */
export class Taps {
  private readonly graph: OnnxGraph;
  private readonly wanted: ReadonlySet<string>;
  private readonly given = new Set<string>();

  /** Throws `unsupported` for a hook point that no graph can give exactly. */
  constructor(graph: OnnxGraph, wanted: ReadonlySet<string>) {
    this.graph = graph;
    this.wanted = wanted;
    for (const name of wanted) {
      const refusal = refused.find(({ names }) => names.test(name));
      if (refusal) throw new TillerError('unsupported', `'${name}' cannot be tapped: ${refusal.reason}`);
    }
  }

  /** Whether any of these is wanted: whoever makes them must then make them whole, [B, S, width], with nothing left to be multiplied. */
  wants(...names: readonly string[]): boolean {
    return names.some((name) => this.wanted.has(name));
  }

  /** Gives out a tensor [B, S, width], if it is wanted. */
  offer(name: string, tensor: string, width: number): void {
    if (!this.wanted.has(name)) return;
    this.given.add(name);
    this.graph.node(`${name}/tap`, 'Identity', [tensor], { outputs: [ports.tap(name)] });
    this.graph.output(ports.tap(name), 'float32', ['B', 'S', width]);
  }

  /**
   * The two hook points of a norm, TransformerLens' `hook_scale` and `hook_normalized`: √(mean square + ε) of what it reads, centred in a
   * layer norm, and that divided by this, before gain and bias.
   */
  offerNorm(name: string, x: string, { norm, normEpsilon, dModel }: ModelConfig): void {
    const names = { scale: `${name}.hook_scale`, normalised: `${name}.hook_normalized` };
    if (!this.wants(...Object.values(names))) return;
    const { graph } = this;
    const mean = (part: string, of: string) =>
      graph.node(`${name}/${part}`, 'ReduceMean', [of, graph.integers([-1])], { attributes: { keepdims: 1 } });
    const centred = norm === 'rms' ? x : graph.node(`${name}/centred`, 'Sub', [x, mean('mean', x)]);
    const square = graph.node(`${name}/square`, 'Mul', [centred, centred]);
    const sum = graph.node(`${name}/sum`, 'Add', [mean('mean_square', square), graph.scalar(normEpsilon)]);
    const scale = graph.node(`${name}/root`, 'Sqrt', [sum]);
    this.offer(names.scale, scale, 1);
    if (this.wants(names.normalised)) {
      this.offer(names.normalised, graph.node(`${name}/divided`, 'Div', [centred, scale]), dModel);
    }
  }

  /** Hook points that are wanted and that the decoder never passed. */
  missing(): string[] {
    return [...this.wanted].filter((name) => !this.given.has(name));
  }
}

/**
 * Every hook point that can be tapped, in the model's order and in TransformerLens' spelling, with the shape of one token's value. The place
 * before block L > 0 is called `blocks.(L−1).hook_resid_post`.
 */
export function tapShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { dModel, mlpWidth, headDim } = config;
  const shapes = new Map<string, readonly number[]>([['hook_embed', [dModel]]]);
  if (config.learnedPositions) shapes.set('hook_pos_embed', [dModel]);
  const norm = (name: string) => shapes.set(`${name}.hook_scale`, [1]).set(`${name}.hook_normalized`, [dModel]);
  for (const [block, { rotary }] of config.layers.entries()) {
    const at = (name: string) => `blocks.${block}.${name}`;
    const queries = [config.heads, headDim];
    const keys = [config.keyValueHeads, headDim];
    if (block === 0) shapes.set(at('hook_resid_pre'), [dModel]);
    norm(at('ln1'));
    shapes.set(at('attn.hook_q'), queries).set(at('attn.hook_k'), keys).set(at('attn.hook_v'), keys);
    if (rotary !== null) shapes.set(at('attn.hook_rot_q'), queries).set(at('attn.hook_rot_k'), keys);
    shapes.set(at('attn.hook_z'), queries);
    if (config.outputNorms) norm(at('ln1_post'));
    shapes.set(at('hook_attn_out'), [dModel]);
    if (!config.parallelResidual) shapes.set(at('hook_resid_mid'), [dModel]);
    norm(at('ln2'));
    shapes.set(at('mlp.hook_in'), [dModel]).set(at('mlp.hook_pre'), [mlpWidth]);
    if (config.gatedMlp) shapes.set(at('mlp.hook_pre_linear'), [mlpWidth]);
    shapes.set(at('mlp.hook_post'), [mlpWidth]).set(at('mlp.hook_out'), [dModel]);
    if (config.outputNorms) norm(at('ln2_post'));
    shapes.set(at('hook_mlp_out'), [dModel]).set(at('hook_resid_post'), [dModel]);
  }
  norm('ln_final');
  return shapes;
}
