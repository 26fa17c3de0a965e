import { readFile } from 'node:fs/promises';
import { GgufReader } from '../../engine/checkpoint/gguf-reader.ts';
import { maxMetadataKeys, maxTensorElements, maxTensors } from '../../engine/checkpoint/limits.ts';
import { uint32, uint64 } from './little-endian.ts';

/** What a GGUF file begins with, its key-value section as bytes, so that it can be written again unchanged. */
export interface GgufHeaderBytes {
  readonly version: number;
  readonly keyCount: number;
  /** The whole key-value section. */
  readonly keyValues: Buffer;
  /** Offset in `keyValues` of the uint32 value of `general.file_type`; null where there is none. */
  readonly fileTypeAt: number | null;
  readonly alignment: number;
  /** In the file's order; shapes row major. */
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

const uint32Type = 4;

/** Reads the header of a GGUF file that engine/checkpoint has accepted. */
export async function readHeaderBytes(path: string): Promise<GgufHeaderBytes> {
  const bytes = await readFile(path);
  const reader = new GgufReader(bytes, bytes.length, path);
  reader.uint32();
  const version = reader.uint32();
  const tensorCount = reader.count('the number of tensors', maxTensors);
  const keyCount = reader.count('the number of metadata keys', maxMetadataKeys);
  const start = reader.position;
  let fileTypeAt: number | null = null;
  let alignment = 32;
  for (let i = 0; i < keyCount; i++) {
    const key = reader.name(`metadata key ${i}`);
    const at = reader.position;
    const value = reader.value(key);
    if (key === 'general.file_type' && bytes.readUInt32LE(at) === uint32Type) fileTypeAt = at + 4 - start;
    if (key === 'general.alignment') alignment = Number(value);
  }
  const keyValues = bytes.subarray(start, reader.position);
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = reader.name('a tensor');
    const shape = Array.from({ length: reader.uint32() }, () =>
      reader.count('a dimension', maxTensorElements),
    ).reverse();
    reader.uint32();
    reader.count('an offset', Number.MAX_SAFE_INTEGER);
    return { name, shape };
  });
  return { version, keyCount, keyValues, fileTypeAt, alignment, tensors };
}

/** A tensor as it will be described: ggml's type number, and its offset from the start of the data. */
export interface PlacedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

/** The bytes of a header with the same key-value section, padded to where the data begins. */
export function headerBytes(header: GgufHeaderBytes, fileType: number, tensors: readonly PlacedTensor[]): Buffer {
  const keyValues = Buffer.from(header.keyValues);
  if (header.fileTypeAt !== null) keyValues.writeUInt32LE(fileType, header.fileTypeAt);
  const parts = [
    Buffer.from('GGUF'),
    uint32(header.version),
    uint64(tensors.length),
    uint64(header.keyCount),
    keyValues,
    ...tensors.flatMap(({ name, shape, type, offset }) => [
      uint64(Buffer.byteLength(name)),
      Buffer.from(name),
      uint32(shape.length),
      ...[...shape].reverse().map(uint64),
      uint32(type),
      uint64(offset),
    ]),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat(parts, Math.ceil(length / header.alignment) * header.alignment);
}
