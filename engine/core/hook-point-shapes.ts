import type { ModelConfig } from './model-config.ts';

/**
 * Every hook point of a decoder, in the model's order and in TransformerLens' spelling, with the shape of one token's value. The place
 * before block L > 0 is called `blocks.(L−1).hook_resid_post`. What is not here no graph gives (engine/graph/sites.ts says why).
 */
export function hookPointShapes(config: ModelConfig): Map<string, readonly number[]> {
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

/** Floats of one token at a hook point; undefined for one that the decoder does not have. */
export function hookPointWidth(shapes: ReadonlyMap<string, readonly number[]>, hookPoint: string): number | undefined {
  return shapes.get(hookPoint)?.reduce((product, size) => product * size, 1);
}

/** Hook points that an edit cannot be made at: what their names look like, and why. */
const uneditable: readonly { readonly names: RegExp; readonly reason: string }[] = [
  { names: /^hook_embed$/, reason: 'it is the stream that enters block 0: edit blocks.0.hook_resid_pre instead' },
  { names: /hook_scale$/, reason: 'it is a single number that a norm divides by: edit hook_normalized instead' },
  {
    names: /hook_rot_[qk]$/,
    reason: 'attention rotates and compares queries and keys at once: edit hook_q and hook_k instead',
  },
];

/** Why no edit can be made at a hook point; null where it can. */
export function whyNotEditable(hookPoint: string): string | null {
  return uneditable.find(({ names }) => names.test(hookPoint))?.reason ?? null;
}
