import { openCheckpoint } from './checkpoint/index.ts';
import { readRowPieces } from './checkpoint/row-pieces.ts';

/** What turns a model's stream into logits, read from its checkpoint when it is asked for; nothing is held between. */
export interface Unembedding {
  /** Width of the stream. */
  readonly width: number;
  /** Tokens that have a logit. */
  readonly tokens: number;
  /** The final norm takes the mean off (LayerNorm). */
  readonly centres: boolean;
  /** The final norm's gain, [width]. */
  gain(): Promise<Float32Array>;
  /** The unembedding's rows in order, as [rows, width] of float32; overwritten when the next ones are asked for. */
  rows(): AsyncIterable<{ readonly first: number; readonly rows: number; readonly values: Float32Array }>;
}

const gainName = 'model.norm.weight';

/** The unembedding of the checkpoint at a path, whose headers alone are read now. Throws as `openCheckpoint`. */
export async function openUnembedding(path: string): Promise<Unembedding> {
  const { config } = await use(path, async (checkpoint) => checkpoint);
  const { dModel: width, vocabularySize: tokens, tiedEmbeddings } = config;
  const weight = tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  return {
    width,
    tokens,
    centres: config.norm === 'layer',
    gain: () =>
      use(path, async (checkpoint) => {
        const gain = new Float32Array(width);
        await checkpoint.readFloat32(gainName, gain);
        return gain;
      }),
    async *rows() {
      const checkpoint = await openCheckpoint(path);
      try {
        yield* readRowPieces(checkpoint, weight);
      } finally {
        await checkpoint.close();
      }
    },
  };
}

async function use<T>(
  path: string,
  work: (checkpoint: Awaited<ReturnType<typeof openCheckpoint>>) => Promise<T>,
): Promise<T> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await work(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
