import type { Checkpoint } from './checkpoint.ts';
import { placeColumns, quantiseRows } from './int8-rows.ts';
import { groupShape, type LinearGroup, linearGroups } from './linear-groups.ts';
import { readRowPieces } from './row-pieces.ts';
import { prepareStoredLinears, type StoredFile, type StoredOptions, type StoredPart } from './stored-file.ts';
import type { StoredLinears } from './stored-linears.ts';

const formatVersion = 2;

interface Int8Part extends StoredPart {
  readonly array: 'values' | 'scales';
  readonly rows: number;
  readonly width: number;
}

/**
 * Every linear layer as signed 8-bit integers with one scale an output channel, for ONNX Runtime's operators, quantised once from the
 * checkpoint's own weights into a cache file `weights/<hash>.int8.v2.bin` (stored-file.ts). Throws `disk_full`.
 */
export function prepareInt8Weights(checkpoint: Checkpoint, options: StoredOptions): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => int8Parts(checkpoint, group));
  let current: { readonly group: LinearGroup; readonly matrix: Awaited<ReturnType<typeof quantise>> } | null = null;
  const write: StoredFile<Int8Part>['write'] = async ({ group, array, rows, width }, file) => {
    if (current?.group !== group) current = { group, matrix: await quantise(checkpoint, group, rows, width) };
    const bytes = current.matrix[array];
    await file.write(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  };
  const label = 'Quantising weights to 8 bits';
  return prepareStoredLinears(checkpoint, { kind: 'int8', formatVersion, label, parts, write }, options);
}

function int8Parts(checkpoint: Checkpoint, group: LinearGroup): Int8Part[] {
  const { outputs: rows, width } = groupShape(group, checkpoint.tensors);
  const part = (array: Int8Part['array'], shape: readonly number[], byteLength: number): Int8Part => {
    const type = array === 'values' ? 'int8' : 'float32';
    return { name: `${group.name}.${array}`, group, form: 'int8', array, type, rows, width, shape, byteLength };
  };
  return [part('values', [width, rows], width * rows), part('scales', [rows], rows * 4)];
}

/** The group's matrices below each other, quantised; float32 is held of a few rows only. */
async function quantise(checkpoint: Checkpoint, group: LinearGroup, rows: number, width: number) {
  const matrix = { values: new Int8Array(width * rows), scales: new Float32Array(rows) };
  let firstRow = 0;
  for (const name of group.weights) {
    for await (const { first, values } of readRowPieces(checkpoint, name)) {
      const { quanta, scales } = quantiseRows(values, width);
      placeColumns(quanta, { firstRow: firstRow + first, rows, width }, matrix.values);
      matrix.scales.set(scales, firstRow + first);
    }
    firstRow += checkpoint.tensors.get(name)?.shape[0] ?? 0;
  }
  return matrix;
}
