/** A value of a GGUF file's metadata: texts, and numbers as uint32. */
export type GgufValue = string | number;

export interface GgufVector {
  readonly name: string;
  /** float32, of one dimension. */
  readonly values: Float32Array;
}

const version = 3;
const alignment = 32;
const types = { uint32: 4, string: 8, f32: 0 } as const;

/** The bytes of a GGUF file (version 3, little-endian) of vectors: header, metadata, where each tensor lies, the tensors, each aligned to 32 bytes. */
export function ggufFile(metadata: Readonly<Record<string, GgufValue>>, vectors: readonly GgufVector[]): Buffer {
  const head = [
    Buffer.from('GGUF'),
    uint32(version),
    uint64(vectors.length),
    uint64(Object.keys(metadata).length),
    ...Object.entries(metadata).flatMap(([key, value]) => [text(key), ...typed(value)]),
  ];
  let offset = 0;
  const places = vectors.map(({ name, values }) => {
    const place = Buffer.concat([text(name), uint32(1), uint64(values.length), uint32(types.f32), uint64(offset)]);
    offset += aligned(values.length * 4);
    return place;
  });
  const begin = Buffer.concat([...head, ...places]);
  const data = vectors.map(({ values }) => {
    const bytes = Buffer.alloc(aligned(values.length * 4));
    for (const [i, value] of values.entries()) bytes.writeFloatLE(value, i * 4);
    return bytes;
  });
  return Buffer.concat([begin, Buffer.alloc(aligned(begin.length) - begin.length), ...data]);
}

function typed(value: GgufValue): Buffer[] {
  return typeof value === 'string' ? [uint32(types.string), text(value)] : [uint32(types.uint32), uint32(value)];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
