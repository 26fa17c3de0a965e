import type { Activation } from '../../core/index.ts';

/** transformers' names of the activations that are computed (transformers activations.py, ACT2FN). */
export const activationNames: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
};
