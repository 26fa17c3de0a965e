import { TillerError } from '../core/index.ts';
import { maxMetadataArrayLength, maxNameBytes } from './limits.ts';

/** A metadata value; 64-bit integers beyond 2^53 stay bigint. */
export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | GgufArray;

/** An array of one type that stays as bytes until somebody asks: most are never looked at, and as values they take several times as much. */
export interface GgufArray {
  readonly length: number;
  values(): GgufScalar[];
}

/** Thrown inside the reader when the header goes on beyond the bytes at hand. Never leaves gguf-header.ts. */
export class HeaderGoesOn extends Error {}

const typeNames = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  'bool',
  'string',
  'array',
  'uint64',
  'int64',
  'float64',
] as const;
const arrayType = 9;
const stringType = 8;
/** Least bytes that a value of each type takes, all that it takes but for strings: what bounds an array before it is read. */
const leastBytes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

/**
 * A cursor over the first bytes of a GGUF file (little endian, version 2 or 3; format: ggml/docs/gguf.md). Every length is checked
 * against the size of the whole file before anything is allocated for it.
 */
export class GgufReader {
  readonly #bytes: Buffer;
  readonly #fileSize: number;
  readonly #path: string;
  #at = 0;

  constructor(bytes: Buffer, fileSize: number, path: string) {
    this.#bytes = bytes;
    this.#fileSize = fileSize;
    this.#path = path;
  }

  /** Bytes consumed so far. */
  get position(): number {
    return this.#at;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** A 64-bit count or size as a number; absurd ones are refused. */
  count(what: string, limit: number): number {
    const value = this.#bytes.readBigUInt64LE(this.#take(8));
    if (value > BigInt(limit)) throw this.invalid(`${what} is ${value}; at most ${limit} is accepted`);
    return Number(value);
  }

  /** A UTF-8 string. Sequences that are not UTF-8 are refused in names (`limit` given) and become U+FFFD in values. */
  string(what: string, limit?: number): string {
    const length = this.count(`the length of ${what}`, limit ?? this.#fileSize);
    const start = this.#take(length);
    const text = this.#bytes.toString('utf8', start, start + length);
    if (limit !== undefined && text.includes('\ufffd')) throw this.invalid(`${what} is not UTF-8`);
    return text;
  }

  name(what: string): string {
    return this.string(what, maxNameBytes);
  }

  value(key: string): GgufValue {
    const type = this.uint32();
    if (type !== arrayType) return this.#scalar(type, key);
    const elementType = this.uint32();
    if (elementType === arrayType) {
      throw new TillerError('checkpoint_unsupported', `${this.#path}: metadata '${key}' is an array of arrays.`);
    }
    this.#checkType(elementType, key);
    const length = this.count(`the length of metadata array '${key}'`, maxMetadataArrayLength);
    const least = length * leastBytes[elementType];
    if (this.#at + least > this.#fileSize) {
      throw this.invalid(`metadata array '${key}' claims ${length} elements, more than the file can hold`);
    }
    if (this.#at + least > this.#bytes.length) throw new HeaderGoesOn();
    const start = this.#at;
    if (elementType === stringType) this.#skipStrings(length, key);
    else this.#take(least);
    return { length, values: () => this.#elements(start, elementType, length, key) };
  }

  #elements(start: number, type: number, length: number, key: string): GgufScalar[] {
    const reader = new GgufReader(this.#bytes, this.#fileSize, this.#path);
    reader.#at = start;
    return Array.from({ length }, () => reader.#scalar(type, key));
  }

  #skipStrings(count: number, key: string): void {
    for (let i = 0; i < count; i++) this.#take(this.count(`the length of metadata '${key}'`, this.#fileSize));
  }

  invalid(what: string): TillerError {
    return new TillerError('checkpoint_invalid', `${this.#path} is refused: ${what}.`);
  }

  #checkType(type: number, key: string): void {
    if (type >= typeNames.length) throw this.invalid(`metadata '${key}' has the unknown type ${type}`);
  }

  #scalar(type: number, key: string): GgufScalar {
    this.#checkType(type, key);
    switch (typeNames[type]) {
      case 'uint8':
        return this.#bytes.readUInt8(this.#take(1));
      case 'int8':
        return this.#bytes.readInt8(this.#take(1));
      case 'uint16':
        return this.#bytes.readUInt16LE(this.#take(2));
      case 'int16':
        return this.#bytes.readInt16LE(this.#take(2));
      case 'uint32':
        return this.uint32();
      case 'int32':
        return this.#bytes.readInt32LE(this.#take(4));
      case 'float32':
        return this.#bytes.readFloatLE(this.#take(4));
      case 'float64':
        return this.#bytes.readDoubleLE(this.#take(8));
      case 'bool':
        return this.#bytes.readUInt8(this.#take(1)) !== 0;
      case 'string':
        return this.string(`metadata '${key}'`);
      case 'uint64':
        return narrow(this.#bytes.readBigUInt64LE(this.#take(8)));
      case 'int64':
        return narrow(this.#bytes.readBigInt64LE(this.#take(8)));
      default:
        throw this.invalid(`metadata '${key}' has the unknown type ${type}`);
    }
  }

  /** Advances over `count` bytes; returns where they start. */
  #take(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) {
      if (start + count > this.#fileSize) throw this.invalid('its header is cut off. Is the download complete?');
      throw new HeaderGoesOn();
    }
    this.#at += count;
    return start;
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
