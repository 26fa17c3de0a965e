import type { TensorType } from './tensor.ts';
import type { LinearSize, WeightSizes } from './weight-memory.ts';

/** Sizes of a decoder, as a config.json states them; what memory estimates are made from without any file. */
export interface DecoderSize {
  readonly blocks: number;
  readonly dModel: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  /** Tokens that it was trained for. */
  readonly context: number;
  readonly gatedMlp: boolean;
  /** The unembedding is the embedding matrix. */
  readonly tied: boolean;
}

/** What a checkpoint holds its linear layers and its embedding in. */
export interface StoredTypes {
  readonly linear: TensorType;
  readonly embedding: TensorType;
}

/** The weights of a decoder of this size. Norms, biases and learned positions are left out: under 1 %. */
export function decoderWeightSizes(size: DecoderSize, stored: StoredTypes): WeightSizes {
  const { dModel, headDim, heads, keyValueHeads, mlpWidth, vocabulary } = size;
  const linear = (outputs: number, width: number): LinearSize => ({ outputs, width, type: stored.linear });
  const block = [
    linear((heads + 2 * keyValueHeads) * headDim, dModel),
    linear(dModel, heads * headDim),
    linear((size.gatedMlp ? 2 : 1) * mlpWidth, dModel),
    linear(dModel, mlpWidth),
  ];
  const unembedding = { outputs: vocabulary, width: dModel, type: size.tied ? stored.embedding : stored.linear };
  return {
    linears: [...Array.from({ length: size.blocks }, () => block).flat(), unembedding],
    embedding: vocabulary * dModel,
    rest: 0,
  };
}

/** Numbers, all of them; those of a tied unembedding once. */
export function parameterCount(size: DecoderSize): number {
  const { linears, embedding } = decoderWeightSizes(size, { linear: 'F32', embedding: 'F32' });
  const linear = linears.reduce((sum, { outputs, width }) => sum + outputs * width, 0);
  return size.tied ? linear : linear + embedding;
}
