import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { safetensorsHead } from '../../engine/core/index.ts';

export interface Float32Tensor {
  readonly shape: readonly number[];
  /** Writes the values piece by piece: floats at an index of the flattened tensor. */
  write(put: (values: Float32Array, at: number) => void): void | Promise<void>;
}

/** Writes a safetensors file of float32 tensors, never more than one piece of one in memory. */
export async function writeSafetensors(path: string, tensors: Readonly<Record<string, Float32Tensor>>): Promise<void> {
  const shapes = Object.entries(tensors).map(([name, { shape }]) => [name, { type: 'F32', shape }] as const);
  const { bytes: head, offsets } = safetensorsHead(shapes);
  const file = openSync(path, 'w');
  try {
    writeSync(file, head, 0, undefined, 0);
    for (const [name, start] of offsets) {
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
