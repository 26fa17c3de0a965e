/** Bytes of one element, by safetensors' names. */
export const safetensorsBytes = { BOOL: 1, U8: 1, F16: 2, I32: 4, U32: 4, F32: 4, I64: 8 } as const;
export type SafetensorsType = keyof typeof safetensorsBytes;

/** A tensor as a header states it. */
export interface TensorShape {
  readonly type: SafetensorsType;
  readonly shape: readonly number[];
}

/** What comes before the values of a safetensors file, and where in the file each tensor's values begin. */
export interface SafetensorsHead {
  readonly bytes: Uint8Array;
  /** By name, from the start of the file. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Of the whole file. */
  readonly size: number;
}

/**
 * The header of a safetensors file whose tensors lie one behind the other in the order of the entries: eight bytes of length, JSON,
 * spaces up to a multiple of eight, as the format's own writer has it. Of sizes that mix, name the tensors of wider elements first:
 * readers map them in place only where they are aligned. `metadata` becomes `__metadata__`, strings as the format wants them.
 * https://github.com/huggingface/safetensors#format
 */
export function safetensorsHead(
  tensors: Iterable<readonly [name: string, tensor: TensorShape]>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsHead {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  const begins = new Map<string, number>();
  let end = 0;
  for (const [name, { type, shape }] of tensors) {
    const begin = end;
    end += tensorBytes({ type, shape });
    header[name] = { dtype: type, shape, data_offsets: [begin, end] };
    begins.set(name, begin);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + (-text.length & 7)).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(text, 8);
  return {
    bytes,
    offsets: new Map(Array.from(begins, ([name, begin]) => [name, bytes.length + begin])),
    size: bytes.length + end,
  };
}

/** Bytes of a tensor's values. */
export function tensorBytes({ type, shape }: TensorShape): number {
  return shape.reduce((product, size) => product * size, safetensorsBytes[type]);
}
