import { decoderWeightSizes, parameterCount, type TensorType, weightMemory } from '../../engine/checkpoint/index.ts';
import type { OperatorSet, Precision } from '../../engine/core/index.ts';
import { keyValueTypeOf, tokenBytesOf } from '../../engine/model-needs.ts';
import { modelBytes, processBytes } from '../limits.ts';
import type { PublishedModel } from './published-models.ts';

/** Tokens that the estimate counts keys and values of: one long conversation, or a model's whole context where that is less. */
const countedTokens = 4096;

export const estimatedPrecisions = ['f32', 'int8', 'four_bit'] as const;
export type EstimatedPrecision = (typeof estimatedPrecisions)[number];

/** Memory that a published model needs; bytes. */
export interface PublishedEstimate {
  readonly repository: string;
  readonly parameters: number;
  /** Facts of its shape that nothing at hand confirmed (published-models.ts). */
  readonly unverified: PublishedModel['unverified'];
  /** Tokens of keys and values that are counted in. */
  readonly tokens: number;
  /** Weights, those keys and values, and the process. `four_bit`: precision `blocks` on a GGUF file in Q4_0, its embedding in Q8_0. */
  readonly bytes: Readonly<Record<EstimatedPrecision, number>>;
  /** Of those, pages of mapped files: the system may take them back and read them again. */
  readonly mapped: Readonly<Record<EstimatedPrecision, number>>;
  /** Whether all of it is free now. */
  readonly fits: Readonly<Record<EstimatedPrecision, boolean>>;
}

/**
 * Estimates what a model takes, at most (weight-memory.ts): the published files in f32 and int8, four-bit blocks in `blocks`.
 *
 * @param availableBytes memory that is free now
 */
export function estimatePublished(
  model: PublishedModel,
  availableBytes: number,
  operators: OperatorSet,
): PublishedEstimate {
  const tokens = Math.min(countedTokens, model.context);
  const estimate = (precision: Precision, linear: TensorType, embedding: TensorType) => {
    const weights = weightMemory(decoderWeightSizes(model, { linear, embedding }), precision, operators);
    const keysAndValues = tokenBytesOf(model, keyValueTypeOf(precision, operators)) * tokens;
    return {
      bytes: Math.round(modelBytes({ weights, vocabulary: model.vocabulary }) + keysAndValues + processBytes),
      mapped: weights.mapped,
    };
  };
  const estimates = {
    f32: estimate('f32', model.stored, model.stored),
    int8: estimate('int8', model.stored, model.stored),
    four_bit: estimate('blocks', 'Q4_0', 'Q8_0'),
  };
  const each = <Value>(of: (estimated: (typeof estimates)['f32']) => Value) => ({
    f32: of(estimates.f32),
    int8: of(estimates.int8),
    four_bit: of(estimates.four_bit),
  });
  return {
    repository: model.repository,
    parameters: parameterCount(model),
    unverified: model.unverified,
    tokens,
    bytes: each(({ bytes }) => bytes),
    mapped: each(({ mapped }) => mapped),
    fits: each(({ bytes }) => bytes <= availableBytes),
  };
}
