/** Families whose checkpoints are read (engine/checkpoint/families); a word for messages, nothing is computed by it. */
export const modelFamilies = ['llama', 'qwen2', 'qwen3', 'gpt2', 'gpt_neox', 'gemma2', 'gemma3'] as const;
export type ModelFamily = (typeof modelFamilies)[number];

/**
 * What the graph compiler needs to know of a decoder, whatever file it came from: sizes, and what its block does. Widths in numbers of
 * floats.
 */
export interface ModelConfig extends DecoderFeatures {
  readonly family: ModelFamily;
  /** Width of the residual stream. */
  readonly dModel: number;
  readonly blocks: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** Width inside the MLP. */
  readonly mlpWidth: number;
  readonly vocabularySize: number;
  /** Longest sequence the model was trained for, in tokens. */
  readonly contextLength: number;
  readonly normEpsilon: number;
  /** The unembedding is the embedding matrix. */
  readonly tiedEmbeddings: boolean;
  /** First token that the tokenizer itself prepends to text, if it does. */
  readonly bosTokenId: number | null;
  /** Tokens that end a reply. */
  readonly eosTokenIds: readonly number[];
}

/** Both attentions take heads in vectors of so many numbers. */
const headUnit = 16;

/** Width that keys and values of a head have in the cache: zeros fill it up to whole vectors. */
export function cachedHeadDim({ headDim }: Pick<ModelConfig, 'headDim'>): number {
  return Math.ceil(headDim / headUnit) * headUnit;
}

/** What distinguishes one decoder from another besides its sizes; `plainFeatures` is Llama 2. */
export interface DecoderFeatures {
  readonly norm: NormKind;
  readonly activation: Activation;
  /** activation(gate)·up where true, else activation(up). */
  readonly gatedMlp: boolean;
  readonly biases: LinearBiases;
  /** Attention and MLP read the same stream, and both are added to it: there is no place between them. */
  readonly parallelResidual: boolean;
  /** Queries and keys are RMS-normalised, each head by itself, before they are rotated. */
  readonly queryKeyNorm: boolean;
  /** What attention and MLP give is normalised before it is added to the stream. */
  readonly outputNorms: boolean;
  /** Factor of the embedding as it enters the stream. */
  readonly embeddingScale: number;
  /** A learned vector for each position is added to the embedding. */
  readonly learnedPositions: boolean;
  /** Rotary position embeddings that blocks choose from. */
  readonly rotary: readonly RotaryEmbedding[];
  readonly attention: AttentionScores;
  /** One for each block. */
  readonly layers: readonly LayerAttention[];
  /** Logits are c·tanh(logit/c); null leaves them. */
  readonly finalSoftCap: number | null;
}

/** `rms`: x/√(mean x² + ε)·w (Zhang & Sennrich 2019). `layer`: (x − mean)/√(variance + ε)·w + b (Ba et al. 2016). */
export type NormKind = 'rms' | 'layer';

/** `gelu_tanh` is the approximation of Hendrycks & Gimpel 2016 that GPT-2 (`gelu_new`) and Gemma were trained with, `gelu` is exact. */
export const activations = ['silu', 'gelu', 'gelu_tanh', 'relu'] as const;
export type Activation = (typeof activations)[number];

/** Which linear layers add a vector. */
export interface LinearBiases {
  readonly queryKeyValue: boolean;
  readonly attentionOutput: boolean;
  readonly mlp: boolean;
}

export interface AttentionScores {
  /** Factor of q·k. */
  readonly scale: number;
  /** Scores are c·tanh(score/c) before the softmax; null leaves them. */
  readonly softCap: number | null;
}

/** What a block's attention may look at, and how it tells positions apart. */
export interface LayerAttention {
  /** Keys it looks back on, the token's own among them; null for all. */
  readonly window: number | null;
  /** Index into `rotary`; null where nothing is rotated. */
  readonly rotary: number | null;
}

/** Su et al. 2021, with halves of the rotated part paired. */
export interface RotaryEmbedding {
  /** The first so many of a head's dimensions are rotated. */
  readonly dimensions: number;
  readonly base: number;
  readonly scaling: RotaryScaling | null;
}

/** How frequencies differ from base^(−2i/dimensions). */
export type RotaryScaling =
  /** All are divided by `factor` (Chen et al. 2023). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** Each is divided by its own number, as GGUF files of Llama 3.1 and later say: one for every pair of dimensions. */
  | { readonly kind: 'divided'; readonly divisors: readonly number[] }
  /** Low ones are divided by `factor`, high ones kept, those between blended (Llama 3.1; transformers modeling_rope_utils.py). */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Tokens that the unscaled model was trained for. */
      readonly originalContext: number;
    };

/** The features of Llama 2: RMS norms, SwiGLU, no biases, whole heads rotated, every block sees everything. */
export function plainFeatures(sizes: Pick<ModelConfig, 'blocks' | 'headDim'>, rotaryBase: number): DecoderFeatures {
  return {
    norm: 'rms',
    activation: 'silu',
    gatedMlp: true,
    biases: { queryKeyValue: false, attentionOutput: false, mlp: false },
    parallelResidual: false,
    queryKeyNorm: false,
    outputNorms: false,
    embeddingScale: 1,
    learnedPositions: false,
    rotary: [{ dimensions: sizes.headDim, base: rotaryBase, scaling: null }],
    attention: { scale: 1 / Math.sqrt(sizes.headDim), softCap: null },
    layers: Array.from({ length: sizes.blocks }, () => ({ window: null, rotary: 0 })),
    finalSoftCap: null,
  };
}
