import { type ArrayFile, readArray, type StoredArray, transposed } from '../arrays/stored-array.ts';
import { type FeatureVectors, openVectors, type Residency } from '../feature-vectors.ts';
import { sourceInvalid } from '../source-error.ts';

/** Arrays taken out of a file by name, each checked: there, of the shape that it should have, and finite. Everything throws `source_invalid`. */
export class Tensors {
  readonly file: ArrayFile;
  readonly #authority: string;
  readonly #residency: Residency;

  /** `authority` says in messages what makes the shapes: a configuration file, or a tensor. */
  constructor(file: ArrayFile, authority: string, residency: Residency = {}) {
    this.file = file;
    this.#authority = authority;
    this.#residency = residency;
  }

  has(name: string): boolean {
    return this.file.arrays.has(name);
  }

  /** The sizes of a matrix that makes the others' shapes. */
  matrixShape(name: string): [number, number] {
    const [rows, columns, ...more] = this.#get(name).shape;
    if (rows > 0 && columns > 0 && more.length === 0) return [rows, columns];
    throw sourceInvalid(`${this.file.path}: ${name} is [${this.#get(name).shape.join(', ')}], which is no matrix.`);
  }

  /** One vector for each feature: the rows of a matrix [features, width]. */
  rows(name: string, features: number, width: number): Promise<FeatureVectors> {
    return openVectors(this.#checked(name, [features, width]), this.#residency);
  }

  /** One vector for each feature: the columns of a matrix [width, features]. */
  columns(name: string, width: number, features: number): Promise<FeatureVectors> {
    return openVectors(transposed(this.#checked(name, [width, features])), this.#residency);
  }

  /** A whole array. `fromInfinity`: infinite values are allowed (thresholds of features that never fire), NaN is not. */
  array(name: string, shape: readonly number[], fromInfinity = false): Float32Array {
    const values = readArray(this.#checked(name, shape));
    const at = values.findIndex((value) => Number.isNaN(value) || !(fromInfinity || Number.isFinite(value)));
    if (at < 0) return values;
    throw sourceInvalid(`${this.file.path}: ${name} has a value that is not finite, at ${at}.`);
  }

  /** A matrix [rows, columns] as [columns, rows]. */
  turned(name: string, rows: number, columns: number): Float32Array {
    const values = this.array(name, [rows, columns]);
    return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]);
  }

  thresholds(name: string, features: number): Float32Array {
    return this.array(name, [features], true);
  }

  /** A whole array where there is one, else zeros. */
  arrayOrZeros(name: string, length: number): Float32Array {
    return this.has(name) ? this.array(name, [length]) : new Float32Array(length);
  }

  /** One number for all: stored with or without an axis. */
  number(name: string): number {
    const { shape } = this.#get(name);
    return this.array(name, shape.length === 0 ? [] : [1])[0];
  }

  #get(name: string): StoredArray {
    const array = this.file.arrays.get(name);
    if (array) return array;
    throw sourceInvalid(`${this.file.path} has no tensor '${name}'.`);
  }

  #checked(name: string, shape: readonly number[]): StoredArray {
    const array = this.#get(name);
    if (array.shape.join() === shape.join()) return array;
    throw sourceInvalid(
      `${this.file.path}: ${name} is [${array.shape.join(', ')}], but ${this.#authority} makes it [${shape.join(', ')}].`,
    );
  }
}
