/** A GGUF file put together field by field, so that tests can lie in any of them. Little endian, version 3. */
export interface GgufParts {
  magic?: string;
  version?: number;
  tensorCount?: number | bigint;
  keyCount?: number | bigint;
  metadata: readonly Buffer[];
  tensors: readonly {
    readonly name: string;
    readonly dims: readonly (number | bigint)[];
    readonly type: number;
    readonly offset: number | bigint;
  }[];
  /** Bytes after the aligned header. */
  data: number;
}

export function ggufBytes(parts: GgufParts): Buffer {
  const infos = parts.tensors.map(({ name, dims, type, offset }) =>
    Buffer.concat([string(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]),
  );
  const header = Buffer.concat([
    Buffer.from(parts.magic ?? 'GGUF', 'latin1'),
    u32(parts.version ?? 3),
    u64(parts.tensorCount ?? parts.tensors.length),
    u64(parts.keyCount ?? parts.metadata.length),
    ...parts.metadata,
    ...infos,
  ]);
  return Buffer.concat([header, Buffer.alloc(((32 - (header.length % 32)) % 32) + parts.data)]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([u64(bytes.length), bytes]);
}

export const metadata = {
  uint32: (key: string, value: number) => Buffer.concat([string(key), u32(4), u32(value)]),
  string: (key: string, value: string) => Buffer.concat([string(key), u32(8), string(value)]),
  float32: (key: string, value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    return Buffer.concat([string(key), u32(6), bytes]);
  },
  /** An array that claims `length` elements and holds `content`. */
  array: (key: string, type: number, length: number | bigint, content: Buffer) =>
    Buffer.concat([string(key), u32(9), u32(type), u64(length), content]),
};

/** Metadata of a llama of one block: d_model 32, one head, MLP 32. */
export function tinyMetadata(): Buffer[] {
  return [
    metadata.string('general.architecture', 'llama'),
    metadata.uint32('llama.block_count', 1),
    metadata.uint32('llama.context_length', 16),
    metadata.uint32('llama.embedding_length', 32),
    metadata.uint32('llama.feed_forward_length', 32),
    metadata.uint32('llama.attention.head_count', 1),
    metadata.float32('llama.attention.layer_norm_rms_epsilon', 1e-5),
  ];
}

/** Its tensors, F32 (type 0) unless `types` says otherwise, one after the other. */
export function tinyTensors(types: Readonly<Record<string, number>> = {}): GgufParts['tensors'] & { name: string }[] {
  const square = [32, 32];
  const shapes: Record<string, number[]> = {
    'token_embd.weight': [32, 64],
    'blk.0.attn_norm.weight': [32],
    'blk.0.attn_q.weight': square,
    'blk.0.attn_k.weight': square,
    'blk.0.attn_v.weight': square,
    'blk.0.attn_output.weight': square,
    'blk.0.ffn_norm.weight': [32],
    'blk.0.ffn_gate.weight': square,
    'blk.0.ffn_up.weight': square,
    'blk.0.ffn_down.weight': square,
    'output_norm.weight': [32],
  };
  let offset = 0;
  return Object.entries(shapes).map(([name, dims]) => {
    const tensor = { name, dims, type: types[name] ?? 0, offset };
    offset += dims.reduce((a, b) => a * b, 4);
    return tensor;
  });
}

/** Bytes of data that `tinyTensors()` in F32 take. */
export const tinyDataBytes = 4 * (32 * 64 + 7 * 32 * 32 + 3 * 32);
