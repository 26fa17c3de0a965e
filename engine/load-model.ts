import { noStoredLinears, openCheckpoint, prepareFloat32Weights, unreadWeights } from './checkpoint/index.ts';
import type { ChatTemplate, Executor, ModelConfig, ProgressListener, PromptEncoder, Tokenizer } from './core/index.ts';
import type { OperatorChoice, OperatorSet } from './core/operators.ts';
import type { Precision, PrecisionChoice } from './core/precision.ts';
import { keyValueTypeOf, type ModelNeeds, modelNeeds } from './model-needs.ts';
import { prepareLinears, resolvePrecision } from './precision.ts';
import { compileKernels, type Kernels, openExecutor } from './runtime/index.ts';
import { createChatTemplate, openTokenizer } from './tokenizer/index.ts';

export interface LoadModelOptions {
  /** A checkpoint file or folder. */
  readonly path: string;
  /** Where dequantised weights are kept between starts. */
  readonly cacheDirectory: string;
  /** Most rows in progress at once, as a number or from what the model needs. */
  readonly slots: number | ((needs: ModelNeeds) => number);
  /** Tokens a row can hold; null = what the model was trained for. Memory is taken as rows grow. */
  readonly context: number | null;
  readonly threads: number;
  /** What linear layers are computed in (precision.ts); f32 by default. */
  readonly precision?: PrecisionChoice;
  /** Whether graph variants that steering may need are built ahead (runtime/executor.ts); default none. */
  readonly warmUp?: 'none' | 'common';
  /** Default: auto. */
  readonly operators?: OperatorChoice;
  /** Most bytes that encoders hold in memory together (runtime/encoder-memories.ts). */
  readonly encoderBytes?: number;
  readonly onProgress?: ProgressListener;
}

/** A checkpoint that is loaded and can run. */
export interface LoadedModel {
  readonly config: ModelConfig;
  /** SHA-256 over the checkpoint's weights. */
  readonly hash: string;
  readonly needs: ModelNeeds;
  readonly precision: Precision;
  /** Whose operators compute attention, norms and edits; replies may differ by rounding. */
  readonly operators: OperatorSet;
  /** Tiller's own operators; or why the model runs without them. */
  readonly kernels: Kernels;
  readonly executor: Executor;
  readonly tokenizer: Tokenizer;
  /** The same tokenizer for texts of any length; to be closed with the engine. */
  readonly encoder: PromptEncoder;
  readonly chatTemplate: ChatTemplate | null;
}

/** Opens a checkpoint, prepares what its graphs read of its weights once, and builds the variant that traffic without steering needs. */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  const checkpoint = await openCheckpoint(options.path);
  try {
    const { cacheDirectory, onProgress, threads, warmUp } = options;
    const { config } = checkpoint;
    const { tokenizer, encoder } = await openTokenizer(checkpoint);
    const chatTemplate = createChatTemplate(checkpoint);
    const kernels = await kernelsFor(options);
    const precision = await resolvePrecision(options.precision ?? 'f32', checkpoint, threads, kernels.library);
    const operators = kernels.library === null ? 'onnxruntime' : 'tiller';
    const keyValueType = keyValueTypeOf(precision, operators);
    const needs = modelNeeds(checkpoint, precision, operators);
    const slots = typeof options.slots === 'number' ? options.slots : options.slots(needs);
    const context = Math.min(options.context ?? config.contextLength, config.contextLength);
    const linears = await prepareLinears(precision, checkpoint, kernels.library, { cacheDirectory, onProgress });
    const steps = [
      linears.linears?.stored ?? noStoredLinears,
      ...(linears.oneTokenLinears ? [linears.oneTokenLinears.stored] : []),
    ];
    const weights = await prepareFloat32Weights(checkpoint, {
      cacheDirectory,
      onProgress,
      without: unreadWeights(config, steps),
    });
    const { encoderBytes } = options;
    const how = { slots, context, threads, warmUp, kernels: kernels.library, keyValueType, encoderBytes };
    const executor = await openExecutor({ config, weights, ...linears, ...how });
    return {
      config,
      hash: weights.hash,
      needs,
      precision,
      operators,
      kernels,
      executor,
      tokenizer,
      encoder,
      chatTemplate,
    };
  } finally {
    await checkpoint.close();
  }
}

async function kernelsFor({ operators, cacheDirectory }: LoadModelOptions): Promise<Kernels> {
  if (operators === 'onnxruntime') return { library: null, reason: "ONNX Runtime's own were asked for" };
  return compileKernels(cacheDirectory);
}
