/**
 * Whose operators a model's graph is made of where there is a choice: ONNX Runtime's, which are always there, or Tiller's own
 * (engine/kernels), which do more at once and must have been compiled on this machine. Their results differ by rounding.
 */
export type OperatorSet = 'onnxruntime' | 'tiller';

/** `auto`: Tiller's own where they can be compiled. */
export const operatorChoices = ['auto', 'onnxruntime'] as const;
export type OperatorChoice = (typeof operatorChoices)[number];
