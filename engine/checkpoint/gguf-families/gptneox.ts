import { plainFeatures } from '../../core/index.ts';
import type { GgufFamily } from './gguf-family.ts';
import { fusedNames } from './gpt2.ts';
import { rotaryOf } from './rotary.ts';
import { sizesOf } from './sizes.ts';

/**
 * GPT-NeoX, Pythia's architecture. The published projection has q, k and v of one head together; the converter puts all queries first.
 * Files do not name the activation: it is Pythia's exact GELU.
 */
export const gptneox: GgufFamily = {
  architecture: 'gptneox',
  configure(file) {
    const sizes = sizesOf(file);
    return {
      ...plainFeatures(sizes, 1),
      ...sizes,
      family: 'gpt_neox',
      normEpsilon: file.requireNumber('attention.layer_norm_epsilon'),
      norm: 'layer',
      activation: 'gelu',
      gatedMlp: false,
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      parallelResidual: file.boolean('use_parallel_residual') ?? true,
      rotary: [rotaryOf(file, file.number('rope.dimension_count') ?? sizes.headDim)],
    };
  },
  weights: fusedNames,
  interleavedRotary: false,
};
