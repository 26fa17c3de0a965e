import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

export interface SparseTensor {
  readonly dtype: 'F32' | 'F16';
  readonly shape: readonly number[];
  /** Values by element index; all others are 0 and take no room on the disk. */
  readonly values?: ReadonlyMap<number, number>;
}

/** Writes a safetensors file whose zeros are holes, so that one of many gigabytes can be tested with. Values as float32 alone. */
export function writeSparseSafetensors(path: string, tensors: Readonly<Record<string, SparseTensor>>): void {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => {
      const start = end;
      end += shape.reduce((product, size) => product * size, dtype === 'F32' ? 4 : 2);
      return [name, { dtype, shape, data_offsets: [start, end] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  try {
    writeSync(file, Buffer.concat([length, json]), 0, undefined, 0);
    ftruncateSync(file, 8 + json.length + end);
    for (const [name, { dtype, values }] of Object.entries(tensors)) {
      const [start] = header[name].data_offsets;
      for (const [index, value] of values ?? []) {
        if (dtype !== 'F32') throw new Error('values are written as float32');
        const bytes = Buffer.alloc(4);
        bytes.writeFloatLE(value);
        writeSync(file, bytes, 0, 4, 8 + json.length + start + index * 4);
      }
    }
  } finally {
    closeSync(file);
  }
}
