import type { ModelConfig } from '../core/index.ts';

/** Every place of a decoder's stream where edits can be made, in the model's order and in canonical spelling. */
export function editableHookPoints({
  blocks,
  parallelResidual,
}: Pick<ModelConfig, 'blocks' | 'parallelResidual'>): string[] {
  const inside = Array.from({ length: blocks }, (_, block) => [
    ...(parallelResidual ? [] : [`blocks.${block}.hook_resid_mid`]),
    `blocks.${block}.hook_resid_post`,
  ]);
  return ['blocks.0.hook_resid_pre', ...inside.flat()];
}
