import { TillerError } from '../../core/index.ts';
import type { GgufMetadata } from '../gguf-metadata.ts';

/** What tensors add to a GGUF file's metadata. */
export interface GgufShapes {
  /** Rows of the embedding. */
  readonly vocabularySize: number;
  /** There is no `output.weight`: the unembedding is the embedding. */
  readonly tiedEmbeddings: boolean;
  /** `rope_freqs.weight`: what each rotary frequency is divided by; null where the file has none. */
  readonly rotaryDivisors: readonly number[] | null;
  /** Names of all tensors. */
  readonly tensors: { has(name: string): boolean };
}

/** Keys of an architecture that are harmless with exactly these values; with any other they may change the model. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  'rope.scaling.type': ['none'],
  'rope.scaling.factor': [0, 1],
  'rope.scaling.finetuned': [false],
  'rope.scale_linear': [0, 1],
  'attention.causal': [true],
  expert_count: [0],
  expert_used_count: [0],
};

/**
 * A GGUF file's metadata while a family reads it (keys: gguf-py/gguf/constants.py). Keys are named without the architecture that they
 * begin with. Every key of the architecture is read, known to be harmless, or refused by `refuseUnread`.
 */
export class GgufFile {
  readonly path: string;
  readonly architecture: string;
  readonly shapes: GgufShapes;
  readonly #metadata: GgufMetadata;
  readonly #read = new Set<string>();
  #divisorsRead = false;

  constructor(metadata: GgufMetadata, architecture: string, shapes: GgufShapes) {
    this.path = metadata.path;
    this.architecture = architecture;
    this.shapes = shapes;
    this.#metadata = metadata;
  }

  number(key: string): number | undefined {
    return this.#metadata.number(this.#key(key));
  }

  requireNumber(key: string): number {
    return this.#metadata.requireNumber(this.#key(key));
  }

  string(key: string): string | undefined {
    return this.#metadata.string(this.#key(key));
  }

  boolean(key: string): boolean | undefined {
    return this.#metadata.boolean(this.#key(key));
  }

  /** An array of booleans; undefined where the key is absent or holds a single value. */
  booleans(key: string): readonly boolean[] | undefined {
    const name = this.#key(key);
    return typeof this.#metadata.get(name) === 'object' ? this.#metadata.booleans(name) : undefined;
  }

  /** What each rotary frequency is divided by; null where nothing says so. */
  rotaryDivisors(): readonly number[] | null {
    this.#divisorsRead = true;
    return this.shapes.rotaryDivisors;
  }

  /** The key must have this value where it is there: the graph knows no other. */
  expect(key: string, value: number): void {
    const stated = this.number(key) ?? value;
    if (stated !== value) throw this.unsupported(`${this.#key(key)} ${stated} where ${value} is expected`);
  }

  /** To be called when the family has read what it understands. Throws `checkpoint_unsupported` naming what is left. */
  refuseUnread(): void {
    for (const key of this.#metadata.keys()) {
      const prefix = `${this.architecture}.`;
      if (!key.startsWith(prefix) || this.#read.has(key)) continue;
      const name = key.slice(prefix.length);
      const value = this.#metadata.get(key);
      if (Object.hasOwn(neutral, name) && neutral[name].includes(value)) continue;
      const text = typeof value === 'object' ? 'an array' : String(value).slice(0, 40);
      throw this.unsupported(`${key} (${text})`);
    }
    if (this.shapes.rotaryDivisors !== null && !this.#divisorsRead)
      throw this.unsupported("tensor 'rope_freqs.weight'");
  }

  unsupported(what: string): TillerError {
    return new TillerError(
      'checkpoint_unsupported',
      `${this.path}: ${what} is not supported, and ignoring it would change the model.`,
    );
  }

  invalid(what: string): TillerError {
    return new TillerError('checkpoint_invalid', `${this.path}: ${what}.`);
  }

  #key(name: string): string {
    const key = `${this.architecture}.${name}`;
    this.#read.add(key);
    return key;
  }
}
