import type { ModelConfig } from '../core/index.ts';
import type { EightBitBlocks } from './eight-bit-blocks.ts';
import type { FourBitBlocks } from './four-bit-blocks.ts';
import type { RowRange } from './row-pieces.ts';
import type { TensorInfo, TensorPiece } from './tensor.ts';

/** Weights, configuration and tokenizer of one model on disk, opened for reading. */
export interface Checkpoint {
  /** The file or folder it was opened from. */
  readonly path: string;
  readonly format: 'safetensors' | 'gguf';
  readonly config: ModelConfig;
  /** Exactly the weights that the model's family needs, under Hugging Face's names, checked against the configuration. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Null where the checkpoint has no tokenizer. */
  readonly tokenizerFiles: TokenizerFiles | null;
  /** Jinja source of the chat template; null where there is none. */
  readonly chatTemplate: string | null;
  /** A whole tensor as float32, row major in Hugging Face's order. `into` has exactly its number of elements. */
  readFloat32(name: string, into: Float32Array): Promise<void>;
  /** The same in pieces of about 4 MiB, in order. A piece's values are overwritten when the next one is asked for. */
  readPieces(name: string): AsyncIterable<TensorPiece>;
  /** A matrix, or some rows of it, that is stored in Q4_1 or Q4_0 as its blocks; null for any other type. */
  readFourBitBlocks(name: string, rows?: RowRange): Promise<FourBitBlocks | null>;
  /** The same of a matrix that is stored in Q8_0. */
  readEightBitBlocks(name: string, rows?: RowRange): Promise<EightBitBlocks | null>;
  /**
   * Where the weights lie on disk as plain little-endian float32, ready to be mapped; null unless all of them do (F32 safetensors whose
   * offsets are multiples of four).
   */
  readonly inPlace: ReadonlyMap<string, TensorLocation> | null;
  /**
   * Lower-case hex SHA-256 over the weights: of the one file, or, of several, of the lines `sha256  name` in name order. With a
   * cache directory a known file (same path, size and modification time) is not read again.
   */
  contentHash(options?: { readonly cacheDirectory?: string }): Promise<string>;
  close(): Promise<void>;
}

/** A run of little-endian float32 in a file. Offset and length in bytes. */
export interface TensorLocation {
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
  readonly shape: readonly number[];
}

/** What a tokenizer is made from. The JSON values are parsed but not checked: engine/tokenizer does that. */
export type TokenizerFiles =
  | {
      readonly kind: 'huggingface';
      /** tokenizer.json */
      readonly tokenizer: unknown;
      /** tokenizer_config.json; null where there is none. */
      readonly tokenizerConfig: unknown;
    }
  | GgufTokenizer;

/** The `tokenizer.ggml.*` metadata of a GGUF file. */
export interface GgufTokenizer {
  readonly kind: 'gguf';
  /** `gpt2` is byte-level BPE, `llama` SentencePiece's. */
  readonly model: string;
  /** Name of the pre-tokenizer in llama.cpp, e.g. `smollm`. */
  readonly preTokenizer: string | null;
  readonly tokens: readonly string[];
  /** llama_token_type of each token: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. */
  readonly tokenTypes: readonly number[];
  /** `left right` */
  readonly merges: readonly string[];
  /** What tokenizers of model `llama` have besides; null for others. */
  readonly sentencePiece: {
    /** One for each token; better ones are larger. */
    readonly scores: readonly number[];
    /** A space is put before every text. */
    readonly addsSpace: boolean;
  } | null;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly addBos: boolean;
  readonly addEos: boolean;
}
