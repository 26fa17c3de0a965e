import { type ModelConfig, type OperatorSet, TillerError } from '../core/index.ts';

/** What a set of operators cannot compute, and the other set might. */
interface Limit {
  readonly operators: readonly OperatorSet[];
  /** What of the model is beyond them; null for nothing. */
  exceeds(config: ModelConfig): string | null;
}

const headDimUnit = 16;
const rotaryUnit = 16;

/** Whatever is not in here is computed exactly by both sets. */
const limits: readonly Limit[] = [
  {
    operators: ['tiller', 'onnxruntime'],
    exceeds: ({ headDim }) =>
      headDim % headDimUnit === 0
        ? null
        : `Attention heads of width ${headDim} cannot be run: a multiple of ${headDimUnit} is wanted.`,
  },
  {
    operators: ['onnxruntime'],
    exceeds: ({ rotary }) => {
      const odd = rotary.find(({ dimensions }) => dimensions % rotaryUnit !== 0);
      if (odd === undefined) return null;
      return `ONNX Runtime's GroupQueryAttention cannot rotate ${odd.dimensions} dimensions of a head, only multiples of ${rotaryUnit}. Tiller's own operators can: they need a C++ compiler.`;
    },
  },
];

/** Throws `checkpoint_unsupported` for a model that the operators would not compute as it is. */
export function refuseWhatOperatorsLack(config: ModelConfig, operators: OperatorSet): void {
  for (const limit of limits) {
    const reason = limit.operators.includes(operators) ? limit.exceeds(config) : null;
    if (reason !== null) throw new TillerError('checkpoint_unsupported', reason);
  }
}
