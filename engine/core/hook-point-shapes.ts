import type { ModelConfig } from './model-config.ts';

/**
 * The shape of one token's value at a hook point. `keys` stands for the number of keys that its step looks at: all tokens of its row up
 * to the step's last.
 */
export type HookPointShape = readonly (number | 'keys')[];

/**
 * Every hook point of a decoder, in the model's order and in TransformerLens' spelling, with the shape of one token's value. The place
 * before block L > 0 is called `blocks.(L−1).hook_resid_post`. What is not here no graph gives.
 */
export function hookPointShapes(config: ModelConfig): Map<string, HookPointShape> {
  const { dModel, mlpWidth, headDim } = config;
  const shapes = new Map<string, HookPointShape>([['hook_embed', [dModel]]]);
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
    const byKey = [config.heads, 'keys'] as const;
    shapes.set(at('attn.hook_attn_scores'), byKey).set(at('attn.hook_pattern'), byKey);
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

/** Floats of one token at a hook point; undefined for one that the decoder does not have, or that has no width of its own. */
export function hookPointWidth(shapes: ReadonlyMap<string, HookPointShape>, hookPoint: string): number | undefined {
  const shape = shapes.get(hookPoint);
  if (shape === undefined) return undefined;
  let width = 1;
  for (const size of shape) {
    if (size === 'keys') return undefined;
    width *= size;
  }
  return width;
}

/** Hook points that an edit cannot be made at: what their names look like, and why. */
const uneditable: readonly { readonly names: RegExp; readonly reason: string }[] = [
  { names: /hook_scale$/, reason: 'it is a single number that a norm divides by: edit hook_normalized instead' },
  {
    names: /hook_rot_[qk]$/,
    reason: 'attention rotates and compares queries and keys at once: edit hook_q and hook_k instead',
  },
  {
    names: /hook_(attn_scores|pattern)$/,
    reason: 'attention makes it a few keys at a time and keeps none of it: edit hook_q, hook_k or hook_z instead',
  },
];

/** Why no edit can be made at a hook point; null where it can. */
export function whyNotEditable(hookPoint: string): string | null {
  return uneditable.find(({ names }) => names.test(hookPoint))?.reason ?? null;
}

/** Whether a hook point in canonical spelling is as wide as there are keys: attention's scores and pattern. */
export function showsKeys(hookPoint: string): boolean {
  return /\.attn\.hook_(attn_scores|pattern)$/.test(hookPoint);
}
