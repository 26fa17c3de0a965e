import { openCheckpoint, prepareFloat32Weights, prepareFourBitWeights } from './checkpoint/index.ts';
import type { ChatTemplate, Executor, ModelConfig, ProgressListener, Tokenizer } from './core/index.ts';
import { openExecutor } from './runtime/index.ts';
import { createChatTemplate, createTokenizer } from './tokenizer/index.ts';

export interface LoadModelOptions {
  /** A checkpoint file or folder. */
  readonly path: string;
  /** Where dequantised weights are kept between starts. */
  readonly cacheDirectory: string;
  /** Most rows in progress at once. */
  readonly slots: number;
  /** Tokens a row can hold; null = the smaller of `defaultContext` and what the model was trained for. */
  readonly context: number | null;
  readonly threads: number;
  readonly onProgress?: ProgressListener;
}

/** A checkpoint that is loaded and can run. */
export interface LoadedModel {
  readonly config: ModelConfig;
  /** SHA-256 over the checkpoint's weights. */
  readonly hash: string;
  readonly precision: 'f32';
  readonly executor: Executor;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | null;
}

/** Tokens a row can hold when nobody says otherwise. */
export const defaultContext = 2048;

/** Opens a checkpoint, prepares its float32 weights once, and builds the variant that traffic without steering needs. */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  const checkpoint = await openCheckpoint(options.path);
  try {
    const { cacheDirectory, onProgress, slots, threads } = options;
    const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory, onProgress });
    const { config } = checkpoint;
    const context = Math.min(options.context ?? defaultContext, config.contextLength);
    const tokenizer = await createTokenizer(checkpoint);
    const chatTemplate = createChatTemplate(checkpoint);
    const fourBit = await prepareFourBitWeights(checkpoint, { cacheDirectory, onProgress });
    const executor = await openExecutor({ config, weights, fourBit, slots, context, threads });
    return { config, hash: weights.hash, precision: 'f32', executor, tokenizer, chatTemplate };
  } finally {
    await checkpoint.close();
  }
}
