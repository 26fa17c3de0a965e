import type { Checkpoint } from './checkpoint.ts';
import { groupShape, type LinearGroup, linearGroups } from './linear-groups.ts';
import { prepareStoredLinears, type StoredFile, type StoredOptions, type StoredPart } from './stored-file.ts';
import { type StoredLinears, type TileForm, tileForms } from './stored-linears.ts';
import { elementCount } from './tensor.ts';
import { tileInputs, tileShapes } from './tile-layout.ts';
import { type TileNumbers, tileBits, writeTiles } from './write-tiles.ts';

const formatVersion = 3;

type TileArray = 'tiles' | 'scales' | 'minima';
const arraysByForm: Readonly<Record<TileForm, readonly TileArray[]>> = {
  tiles4: ['tiles', 'scales'],
  tiles4m: ['tiles', 'scales', 'minima'],
  tiles8: ['tiles', 'scales'],
  tiles16: ['tiles'],
};

interface TilePart extends StoredPart {
  readonly form: TileForm;
  readonly array: TileArray;
  readonly outputs: number;
  readonly width: number;
}

/**
 * The linear layers whose weights Tiller's own operator takes as the checkpoint holds them, laid out for it (tile-layout.ts) in a
 * cache file `weights/<hash>.tiles.v3.bin` (stored-file.ts), the weights unchanged. A group that mixes types, or whose width is no
 * multiple of 32, is left out. Throws `disk_full`.
 */
export function prepareTileWeights(checkpoint: Checkpoint, options: StoredOptions): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => tileParts(checkpoint, group));
  /** Of the group whose tiles were written last. */
  let numbers: TileNumbers = { scales: null, minima: null };
  const write: StoredFile<TilePart>['write'] = async ({ array, group, form, outputs, width }, file, report) => {
    if (array === 'tiles') {
      numbers = await writeTiles(checkpoint, { weights: group.weights, form, outputs, width }, file, report);
      return;
    }
    const values = numbers[array];
    if (values) await file.write(new Uint8Array(values.buffer));
  };
  return prepareStoredLinears(
    checkpoint,
    { kind: 'tiles', formatVersion, label: 'Laying out weights', parts, write },
    options,
  );
}

/** The form in which most groups of linear layers would be laid out; null where none is. */
export function commonTileForm(checkpoint: Checkpoint): TileForm | null {
  const counts = new Map<TileForm, number>();
  for (const group of linearGroups(checkpoint.config)) {
    const form = tileParts(checkpoint, group)[0]?.form;
    if (form) counts.set(form, (counts.get(form) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? null;
}

function tileParts(checkpoint: Checkpoint, group: LinearGroup): TilePart[] {
  const types = group.weights.map((name) => checkpoint.tensors.get(name)?.type);
  const [form, ...others] = new Set(types.map((type) => type && tileForms[type]));
  const { outputs, width } = groupShape(group, checkpoint.tensors);
  if (form === undefined || others.length > 0 || width === 0 || width % tileInputs !== 0) return [];
  const shapes = tileShapes(outputs, width, tileBits[form]);
  return arraysByForm[form].map((array) => {
    const shape = array === 'tiles' ? shapes.tiles : shapes.scales;
    const byteLength = elementCount(shape) * (array === 'tiles' ? 1 : 2);
    const type = array === 'tiles' ? 'uint8' : 'float16';
    return { name: `${group.name}.${array}`, group, form, array, type, outputs, width, shape, byteLength };
  });
}
