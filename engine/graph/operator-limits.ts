import { type ModelConfig, type OperatorSet, TillerError } from '../core/index.ts';

/** What a set of operators cannot compute. */
interface Limit {
  readonly operators: readonly OperatorSet[];
  /** What of the model is beyond them, and the way out; null for nothing. */
  exceeds(config: ModelConfig): string | null;
}

/** Both attentions take heads in vectors of so many numbers. */
const headDimUnit = 16;

/** Whatever of a configuration is not in here, both sets compute as transformers does. */
const limits: readonly Limit[] = [
  {
    operators: ['tiller', 'onnxruntime'],
    exceeds: ({ headDim }) =>
      headDim % headDimUnit === 0
        ? null
        : `Attention heads of width ${headDim} cannot be run: GroupQueryAttention wants a multiple of ${headDimUnit}.`,
  },
];

/** Throws `checkpoint_unsupported` for a model that the operators would not compute as it is. */
export function refuseWhatOperatorsLack(config: ModelConfig, operators: OperatorSet): void {
  for (const limit of limits) {
    const reason = limit.operators.includes(operators) ? limit.exceeds(config) : null;
    if (reason !== null) throw new TillerError('checkpoint_unsupported', reason);
  }
}
