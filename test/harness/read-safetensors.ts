/** A safetensors file as its specification has it, read with nothing of Tiller's. */
export interface ReadTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array | BigInt64Array;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export function readSafetensors(file: Uint8Array): {
  readonly tensors: ReadonlyMap<string, ReadTensor>;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length % 8 !== 0) throw new Error('the values do not begin at a multiple of eight');
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    new TextDecoder().decode(file.subarray(8, 8 + length)),
  );
  const tensors = new Map<string, ReadTensor>();
  let end = 0;
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries as Record<string, Entry>)) {
    if (data_offsets[0] !== end) throw new Error(`there is a gap before ${name}`);
    end = data_offsets[1];
    // a copy lies where every type may lie
    const bytes = file.slice(8 + length + data_offsets[0], 8 + length + end).buffer;
    tensors.set(name, { type: dtype, shape, values: arrayOf(dtype, bytes) });
  }
  if (8 + length + end !== file.length) throw new Error('the file does not end with its last tensor');
  return { tensors, metadata };
}

function arrayOf(dtype: string, bytes: ArrayBuffer): ReadTensor['values'] {
  if (dtype === 'F32') return new Float32Array(bytes);
  if (dtype === 'F16') return new Uint16Array(bytes);
  if (dtype === 'I64') return new BigInt64Array(bytes);
  if (dtype === 'I32') return new Int32Array(bytes);
  if (dtype === 'U32') return new Uint32Array(bytes);
  if (dtype === 'U8' || dtype === 'BOOL') return new Uint8Array(bytes);
  throw new Error(`no ${dtype} here`);
}
