import type { PublishedModel } from './published-models.ts';

/** Node.js, ONNX Runtime, tokenizer, graphs and what a step works in. */
const processBytes = 200e6;
/** Tokens that the estimate counts keys and values of: one long conversation, or a model's whole context where that is less. */
const countedTokens = 4096;
/** Of a weight in the linear layers; 4-bit: 32 weights with a scale and a minimum in half precision. */
const weightBytes = { int8: 1, four_bit: 0.625 } as const;

export const estimatedPrecisions = ['f32', 'int8', 'four_bit'] as const;
export type EstimatedPrecision = (typeof estimatedPrecisions)[number];

/** Memory that a published model needs; bytes. */
export interface PublishedEstimate {
  readonly repository: string;
  readonly parameters: number;
  /** Tokens of keys and values that are counted in. */
  readonly tokens: number;
  /** Weights, those keys and values, and the process. `four_bit`: precision `blocks` on a GGUF file of four-bit blocks. */
  readonly bytes: Readonly<Record<EstimatedPrecision, number>>;
  /** Whether that is free now. */
  readonly fits: Readonly<Record<EstimatedPrecision, boolean>>;
}

/** Weights of a model's linear layers, the unembedding among them, and of its embedding. Norms and biases are left out: under 1 %. */
export function countParameters(model: PublishedModel): { readonly linear: number; readonly embedding: number } {
  const { blocks, dModel, heads, keyValueHeads, headDim, mlpWidth, gatedMlp } = model;
  const attention = 2 * dModel * headDim * (heads + keyValueHeads);
  const mlp = (gatedMlp ? 3 : 2) * dModel * mlpWidth;
  const embedding = model.vocabulary * dModel;
  return { linear: blocks * (attention + mlp) + embedding, embedding };
}

/**
 * Estimates what a model takes with Tiller's own operators: linear layers are computed from the weights as they are stored in f32, from
 * 8 bits in int8, from four-bit blocks in blocks on a GGUF file that has them. The embedding is float32 on disk, of which only rows that are used
 * are in memory; it is counted in full all the same.
 *
 * @param availableBytes memory that is free now
 */
export function estimatePublished(model: PublishedModel, availableBytes: number): PublishedEstimate {
  const { linear, embedding } = countParameters(model);
  const tokens = Math.min(countedTokens, model.context);
  const keysAndValues = 2 * model.blocks * model.keyValueHeads * model.headDim * tokens;
  const total = (perWeight: number, perNumber: number) =>
    Math.round(linear * perWeight + embedding * 4 + keysAndValues * perNumber + processBytes);
  const bytes = {
    f32: total(model.storedBytes, 4),
    int8: total(weightBytes.int8, 2),
    four_bit: total(weightBytes.four_bit, 2),
  };
  const fits = {
    f32: bytes.f32 <= availableBytes,
    int8: bytes.int8 <= availableBytes,
    four_bit: bytes.four_bit <= availableBytes,
  };
  const parameters = model.tied ? linear : linear + embedding;
  return { repository: model.repository, parameters, tokens, bytes, fits };
}
