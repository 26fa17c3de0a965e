import type { SequentialWriter } from './atomic-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { quantiseRows } from './int8-rows.ts';
import { int8TileShapes, placeIntegers } from './int8-tile-layout.ts';
import { groupShape, type LinearGroup, linearGroups } from './linear-groups.ts';
import { readRowPieces } from './row-pieces.ts';
import { prepareStoredLinears, type StoredFile, type StoredOptions, type StoredPart } from './stored-file.ts';
import type { StoredLinears } from './stored-linears.ts';
import { StripWindow } from './strip-window.ts';
import { elementCount } from './tensor.ts';

const formatVersion = 1;

interface Int8TilesPart extends StoredPart {
  readonly array: 'tiles' | 'scales' | 'offsets';
  readonly outputs: number;
  readonly width: number;
}

/** What belongs to a group's tiles, [strips, 32]. */
interface Numbers {
  readonly scales: Float32Array;
  readonly offsets: Int32Array;
}

/**
 * Every linear layer as signed 8-bit integers with one scale an output channel (int8-rows.ts), laid out for Tiller's own operator
 * (int8-tile-layout.ts) in a cache file `weights/<hash>.int8tiles.v1.bin` (stored-file.ts). Throws `disk_full`.
 */
export function prepareInt8Tiles(checkpoint: Checkpoint, options: StoredOptions): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => int8TilesParts(checkpoint, group));
  /** Of the group whose tiles were written last. */
  let numbers: Numbers | null = null;
  const write: StoredFile<Int8TilesPart>['write'] = async (part, file, report) => {
    if (part.array === 'tiles') {
      numbers = await writeGroup(checkpoint, part, file, report);
      return;
    }
    const values = numbers?.[part.array];
    if (values) await file.write(new Uint8Array(values.buffer));
  };
  const label = 'Quantising weights to 8 bits';
  return prepareStoredLinears(checkpoint, { kind: 'int8tiles', formatVersion, label, parts, write }, options);
}

function int8TilesParts(checkpoint: Checkpoint, group: LinearGroup): Int8TilesPart[] {
  const { outputs, width } = groupShape(group, checkpoint.tensors);
  const { tiles, scales } = int8TileShapes(outputs, width);
  const types = { tiles: 'uint8', scales: 'float32', offsets: 'int32' } as const;
  return (['tiles', 'scales', 'offsets'] as const).map((array) => {
    const shape = array === 'tiles' ? tiles : scales;
    const byteLength = elementCount(shape) * (array === 'tiles' ? 1 : 4);
    const name = `${group.name}.${array}`;
    return { name, group, form: 'int8tiles', array, type: types[array], outputs, width, shape, byteLength };
  });
}

/** A few rows are held as float32 at a time. */
async function writeGroup(
  checkpoint: Checkpoint,
  { group, outputs, width }: Int8TilesPart,
  file: SequentialWriter,
  report: () => void,
): Promise<Numbers> {
  const shapes = int8TileShapes(outputs, width);
  const numbers = {
    scales: new Float32Array(elementCount(shapes.scales)),
    offsets: new Int32Array(elementCount(shapes.scales)),
  };
  const window = new StripWindow(file, elementCount(shapes.tiles) / shapes.tiles[0], report);
  let output = 0;
  for (const name of group.weights) {
    for await (const { values } of readRowPieces(checkpoint, name)) {
      const { quanta, scales } = quantiseRows(values, width);
      for (let row = 0; row < scales.length; row++, output++) {
        const place = await window.next();
        numbers.scales[output] = scales[row] as number;
        numbers.offsets[output] = placeIntegers(window.words, place, quanta.subarray(row * width, (row + 1) * width));
      }
    }
  }
  await window.flush();
  return numbers;
}
