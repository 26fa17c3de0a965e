import { type Checkpoint, type WeightMemory, type WeightSizes, weightMemory, weightSizes } from './checkpoint/index.ts';
import { cachedHeadDim } from './core/index.ts';
import type { OperatorSet } from './core/operators.ts';
import type { Precision, PrecisionChoice } from './core/precision.ts';
import type { KeyValueType } from './graph/index.ts';

/** What a model takes of a machine; bytes. */
export interface ModelNeeds {
  readonly weights: WeightMemory;
  /** Tokens of the vocabulary. */
  readonly vocabulary: number;
  /** Keys and values of one token. */
  readonly tokenBytes: number;
  /** Tokens that the model was trained for. */
  readonly contextLength: number;
}

/** 11 bits of keys and values are read in half the time; `f32` rounds nothing, and ONNX Runtime's attention takes float32 alone. */
export function keyValueTypeOf(precision: Precision, operators: OperatorSet): KeyValueType {
  return precision === 'f32' || operators === 'onnxruntime' ? 'float32' : 'float16';
}

/** Keys and values of one token in all blocks; bytes. */
export function tokenBytesOf(
  size: { readonly blocks: number; readonly keyValueHeads: number; readonly headDim: number },
  type: KeyValueType,
): number {
  return 2 * size.blocks * size.keyValueHeads * cachedHeadDim(size) * (type === 'float32' ? 4 : 2);
}

/** From the headers of a checkpoint alone. */
export function modelNeeds(
  checkpoint: Pick<Checkpoint, 'config' | 'tensors'>,
  precision: Precision,
  operators: OperatorSet,
): ModelNeeds {
  const { config } = checkpoint;
  return {
    weights: weightMemory(weightSizes(checkpoint), precision, operators),
    vocabulary: config.vocabularySize,
    tokenBytes: tokenBytesOf(config, keyValueTypeOf(precision, operators)),
    contextLength: config.contextLength,
  };
}

/** Precisions that a choice may turn out to mean: which one `auto` takes is known once the processor has been tried. */
export function possiblePrecisions(choice: PrecisionChoice): readonly Precision[] {
  return choice === 'auto' ? ['f32', 'int8', 'blocks'] : [choice];
}

/** The most that weights take in any of those precisions. */
export function largestWeights(sizes: WeightSizes, choice: PrecisionChoice, operators: OperatorSet): WeightMemory {
  const all = possiblePrecisions(choice).map((precision) => weightMemory(sizes, precision, operators));
  return all.reduce((most, each) => (each.mapped + each.packed > most.mapped + most.packed ? each : most));
}
