import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

export interface Float32Tensor {
  readonly shape: readonly number[];
  /** Writes the values piece by piece: floats at an index of the flattened tensor. */
  write(put: (values: Float32Array, at: number) => void): void | Promise<void>;
}

/** Writes a safetensors file of float32 tensors, never more than one piece of one in memory. */
export async function writeSafetensors(path: string, tensors: Readonly<Record<string, Float32Tensor>>): Promise<void> {
  let end = 0;
  const places = Object.entries(tensors).map(([name, { shape }]) => {
    const begin = end;
    end += shape.reduce((product, size) => product * size, 4);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(places)));
  // values begin at a multiple of eight, as the format's own writer has it
  const json = Buffer.concat([header, Buffer.alloc(-header.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  try {
    writeSync(file, Buffer.concat([length, json]), 0, undefined, 0);
    for (const [name, { data_offsets }] of places) {
      const start = 8 + json.length + data_offsets[0];
      await tensors[name]?.write((values, at) => {
        const bytes = Buffer.alloc(values.length * 4);
        for (const [i, value] of values.entries()) bytes.writeFloatLE(value, i * 4);
        writeSync(file, bytes, 0, bytes.length, start + at * 4);
      });
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
