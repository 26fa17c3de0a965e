import { type ModelConfig, TillerError } from '../core/index.ts';
import type { Checkpoint, TensorLocation, TokenizerFiles } from './checkpoint.ts';
import { contentHash } from './content-hash.ts';
import { type EightBitBlocks, readEightBitBlocks } from './eight-bit-blocks.ts';
import { type FourBitBlocks, readFourBitBlocks } from './four-bit-blocks.ts';
import type { LocalFile } from './local-file.ts';
import type { RowRange } from './row-pieces.ts';
import type { StoredTensor, TensorPiece } from './tensor.ts';
import { readInto, readPieces } from './tensor-reader.ts';

/** What the two formats have in common once their headers are read. */
export interface CheckpointContents {
  readonly path: string;
  readonly format: 'safetensors' | 'gguf';
  readonly config: ModelConfig;
  readonly files: readonly LocalFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly tokenizerFiles: TokenizerFiles | null;
  readonly chatTemplate: string | null;
}

/** A checkpoint whose files stay open until `close`. */
export class OpenedCheckpoint implements Checkpoint {
  readonly path: string;
  readonly format: 'safetensors' | 'gguf';
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly tokenizerFiles: TokenizerFiles | null;
  readonly chatTemplate: string | null;
  readonly #files: readonly LocalFile[];
  #hash: Promise<string> | undefined;

  constructor(contents: CheckpointContents) {
    this.path = contents.path;
    this.format = contents.format;
    this.config = contents.config;
    this.tensors = contents.tensors;
    this.tokenizerFiles = contents.tokenizerFiles;
    this.chatTemplate = contents.chatTemplate;
    this.#files = contents.files;
  }

  readPieces(name: string): AsyncIterable<TensorPiece> {
    const tensor = this.#tensor(name);
    return readPieces(this.#files[tensor.file], tensor);
  }

  readFloat32(name: string, into: Float32Array): Promise<void> {
    const tensor = this.#tensor(name);
    return readInto(this.#files[tensor.file], tensor, into);
  }

  readFourBitBlocks(name: string, rows?: RowRange): Promise<FourBitBlocks | null> {
    const tensor = this.#tensor(name);
    return readFourBitBlocks(this.#files[tensor.file], tensor, rows);
  }

  readEightBitBlocks(name: string, rows?: RowRange): Promise<EightBitBlocks | null> {
    const tensor = this.#tensor(name);
    return readEightBitBlocks(this.#files[tensor.file], tensor, rows);
  }

  get inPlace(): ReadonlyMap<string, TensorLocation> | null {
    const locations = new Map<string, TensorLocation>();
    for (const [name, tensor] of this.tensors) {
      const asItIs = tensor.interleavedHeads === null && !tensor.taken;
      if (tensor.type !== 'F32' || !asItIs || tensor.offset % 4 !== 0) return null;
      const { offset, byteLength, shape } = tensor;
      locations.set(name, { path: this.#files[tensor.file].path, offset, byteLength, shape });
    }
    return locations;
  }

  contentHash(options: { readonly cacheDirectory?: string } = {}): Promise<string> {
    this.#hash ??= contentHash(
      this.#files.map((file) => file.path),
      options.cacheDirectory,
    ).catch((error: unknown) => {
      this.#hash = undefined;
      throw error;
    });
    return this.#hash;
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #tensor(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new TillerError('internal', `${this.path} has no tensor '${name}'.`);
    return tensor;
  }
}
