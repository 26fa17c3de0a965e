import { type ModelConfig, type OperatorSet, TillerError } from '../core/index.ts';

/** What a set of operators cannot compute. */
interface Limit {
  readonly operators: readonly OperatorSet[];
  /** What of the model is beyond them, and the way out; null for nothing. */
  exceeds(config: ModelConfig): string | null;
}

/**
 * Whatever of a configuration is not in here, both sets compute as transformers does. Nothing is, now: heads that are no whole vectors
 * are filled up (head-padding.ts), what GroupQueryAttention cannot rotate is rotated by a node of its own (attention.ts). A family that
 * needs what one of them lacks gets a line.
 */
const limits: readonly Limit[] = [];

/** Throws `checkpoint_unsupported` for a model that the operators would not compute as it is. */
export function refuseWhatOperatorsLack(config: ModelConfig, operators: OperatorSet): void {
  for (const limit of limits) {
    const reason = limit.operators.includes(operators) ? limit.exceeds(config) : null;
    if (reason !== null) throw new TillerError('checkpoint_unsupported', reason);
  }
}
