import { TillerError } from '../core/index.ts';
import type { GgufScalar, GgufValue } from './gguf-reader.ts';

/** Typed look-ups in a GGUF file's metadata. A value of another type is `checkpoint_invalid`. */
export class GgufMetadata {
  readonly path: string;
  readonly #values: ReadonlyMap<string, GgufValue>;

  constructor(path: string, values: ReadonlyMap<string, GgufValue>) {
    this.path = path;
    this.#values = values;
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  /** Undefined where the key is absent. */
  get(key: string): GgufValue | undefined {
    return this.#values.get(key);
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => typeof value === 'number');
  }

  requireNumber(key: string): number {
    const value = this.number(key);
    if (value === undefined) throw new TillerError('checkpoint_invalid', `${this.path} lacks the metadata '${key}'.`);
    return value;
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value) => typeof value === 'string');
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'a boolean', (value) => typeof value === 'boolean');
  }

  strings(key: string): readonly string[] | undefined {
    return this.#array(key, 'strings', (value) => typeof value === 'string');
  }

  numbers(key: string): readonly number[] | undefined {
    return this.#array(key, 'numbers', (value) => typeof value === 'number');
  }

  booleans(key: string): readonly boolean[] | undefined {
    return this.#array(key, 'booleans', (value) => typeof value === 'boolean');
  }

  #typed<T extends GgufValue>(key: string, what: string, is: (value: GgufValue) => value is T): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined || is(value)) return value;
    throw new TillerError('checkpoint_invalid', `${this.path}: metadata '${key}' is not ${what}.`);
  }

  #array<T extends GgufScalar>(
    key: string,
    what: string,
    is: (value: GgufScalar) => value is T,
  ): readonly T[] | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    const elements = typeof value === 'object' ? value.values() : null;
    if (elements?.every(is)) return elements;
    throw new TillerError('checkpoint_invalid', `${this.path}: metadata '${key}' is not an array of ${what}.`);
  }
}
