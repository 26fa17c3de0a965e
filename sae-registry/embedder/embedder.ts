import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TillerError } from '../../engine/core/index.ts';
import { embeddingWidth, pooled } from './embedding.ts';

/** Tokens that the model was made for; of longer texts the rest is left out. */
const mostTokens = 256;
const separator = '[SEP]';

export interface EmbedderFiles {
  /** An ONNX export of all-MiniLM-L6-v2 that gives token states. */
  readonly model: string;
  readonly tokenizer: string;
}

/**
 * Texts to directions, so that texts of like meaning lie close: all-MiniLM-L6-v2, on one thread of ONNX Runtime. It computes on
 * the thread that calls it, which therefore is one of its own (embedder-worker.ts).
 */
export class Embedder {
  /** Of the files: embeddings of another one cannot be compared with its. */
  readonly hash: string;
  readonly #session: InferenceSession;
  readonly #tokenizer: Tokenizer;

  private constructor(hash: string, session: InferenceSession, tokenizer: Tokenizer) {
    this.hash = hash;
    this.#session = session;
    this.#tokenizer = tokenizer;
  }

  /** Throws `checkpoint_invalid` for files that are not such a model and its tokenizer. */
  static async open(files: EmbedderFiles): Promise<Embedder> {
    try {
      const [model, json] = await Promise.all([readFile(files.model), readFile(files.tokenizer)]);
      const hash = createHash('sha256').update(model).update(json).digest('hex').slice(0, 32);
      const session = await InferenceSession.create(model, {
        executionProviders: ['cpu'],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
      });
      const tokenizer = new Tokenizer(withoutPadding(JSON.parse(json.toString('utf8'))), {
        tokenizer_class: 'BertTokenizer',
      });
      const embedder = new Embedder(hash, session, tokenizer);
      await embedder.embed(['a']);
      return embedder;
    } catch (cause) {
      if (cause instanceof TillerError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TillerError('checkpoint_invalid', `The embedder cannot be opened from ${files.model}: ${reason}.`, {
        cause,
      });
    }
  }

  /** Token ids of a text with the marks around it, cut to what the model reads. */
  tokenIds(text: string): number[] {
    const { ids } = this.#tokenizer.encode(text);
    if (ids.length <= mostTokens) return [...ids];
    return [...ids.slice(0, mostTokens - 1), this.#tokenizer.token_to_id(separator) ?? (ids.at(-1) as number)];
  }

  /** One direction of unit length for each text. The batch is as wide as its longest text. */
  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    if (texts.length === 0) return [];
    const ids = texts.map((text) => this.tokenIds(text));
    const tokens = Math.max(...ids.map((list) => list.length));
    const shape = [texts.length, tokens];
    const input = new BigInt64Array(texts.length * tokens);
    const mask = new BigInt64Array(input.length);
    for (const [row, list] of ids.entries()) {
      for (const [at, id] of list.entries()) {
        input[row * tokens + at] = BigInt(id);
        mask[row * tokens + at] = 1n;
      }
    }
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor('int64', input, shape),
      attention_mask: new Tensor('int64', mask, shape),
      token_type_ids: new Tensor('int64', new BigInt64Array(input.length), shape),
    };
    const wanted = Object.fromEntries(this.#session.inputNames.map((name) => [name, feeds[name] as Tensor]));
    const [output = ''] = this.#session.outputNames;
    const states = (await this.#session.run(wanted))[output];
    if (states?.dims.at(-1) !== embeddingWidth || states.dims.length !== 3 || !(states.data instanceof Float32Array)) {
      throw new TillerError('checkpoint_invalid', `The embedder's model gives no [batch, tokens, ${embeddingWidth}].`);
    }
    return pooled(
      states.data,
      ids.map((list) => list.length),
      tokens,
      embeddingWidth,
    );
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

/** The published tokenizer.json pads every text to one length, which would only be computed for nothing. */
function withoutPadding(json: object): object {
  return { ...json, padding: null, truncation: null };
}
