import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { type CachePart, prepareCacheFile } from './cache-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { quantiseRows } from './int8-rows.ts';
import { type LinearGroup, linearGroups } from './linear-groups.ts';
import { readRowPieces } from './row-pieces.ts';
import type { LinearForm, StoredArray, StoredLinears } from './stored-linears.ts';
import { takenRecipe } from './tensor.ts';

const formatVersion = 1;

interface Int8Part extends CachePart {
  readonly group: LinearGroup;
  readonly array: 'values' | 'scales';
  readonly rows: number;
  readonly width: number;
}

/**
 * Every linear layer as signed 8-bit integers with one scale an output channel, quantised once from the checkpoint's own weights into
 * a cache file `weights/<hash>.int8.v1.bin` (cache-file.ts). Throws `disk_full`.
 */
export async function prepareInt8Weights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<StoredLinears> {
  const { cacheDirectory, onProgress } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  const parts = linearGroups(checkpoint.config).flatMap((group) => int8Parts(checkpoint, group));
  let current: { readonly group: LinearGroup; readonly matrix: Awaited<ReturnType<typeof quantise>> } | null = null;
  const locations = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.int8.v${formatVersion}`,
    formatVersion,
    hash,
    recipe: takenRecipe(checkpoint.tensors.values()),
    parts,
    label: 'Quantising weights to 8 bits',
    onProgress,
    write: async ({ group, array, rows, width }, file) => {
      if (current?.group !== group) current = { group, matrix: await quantise(checkpoint, group, rows, width) };
      const bytes = current.matrix[array];
      await file.write(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
  });
  const arrays = new Map<string, StoredArray>();
  const forms = new Map<string, LinearForm>();
  for (const { name, group, array } of parts) {
    const location = locations.get(name);
    if (!location) continue;
    arrays.set(name, { location, type: array === 'values' ? 'int8' : 'float32' });
    forms.set(group.name, 'int8');
  }
  return { forms, arrays };
}

function int8Parts(checkpoint: Checkpoint, group: LinearGroup): Int8Part[] {
  const shapes = group.weights.map((name) => checkpoint.tensors.get(name)?.shape ?? []);
  const rows = shapes.reduce((sum, [out = 0]) => sum + out, 0);
  const width = shapes[0]?.[1] ?? 0;
  const part = (array: Int8Part['array'], shape: readonly number[], byteLength: number): Int8Part => {
    return { name: `${group.name}.${array}`, group, array, rows, width, shape, byteLength };
  };
  return [part('values', [width, rows], width * rows), part('scales', [rows], rows * 4)];
}

/** The group's matrices below each other, quantised; float32 is held of a few rows only. */
async function quantise(checkpoint: Checkpoint, group: LinearGroup, rows: number, width: number) {
  const matrix = { values: new Int8Array(width * rows), scales: new Float32Array(rows) };
  let firstRow = 0;
  for (const name of group.weights) {
    for await (const { first, values } of readRowPieces(checkpoint, name)) {
      quantiseRows(values, { firstRow: firstRow + first, rows, width }, matrix);
    }
    firstRow += checkpoint.tensors.get(name)?.shape[0] ?? 0;
  }
  return matrix;
}
