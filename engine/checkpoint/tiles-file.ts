import { join } from 'node:path';
import type { ProgressListener } from '../core/index.ts';
import { type CachePart, prepareCacheFile } from './cache-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type LinearGroup, linearGroups } from './linear-groups.ts';
import type { LinearForm, StoredArray, StoredLinears, TileForm } from './stored-linears.ts';
import { elementCount, type TensorType, takenRecipe } from './tensor.ts';
import {
  placeEightBits,
  placeFourBits,
  placeNumbers,
  scaleIndex,
  type TileBits,
  tileInputs,
  tileShapes,
} from './tile-layout.ts';

const formatVersion = 1;

/** Stored types whose weights Product takes as they are. */
const formsByType: Partial<Record<TensorType, TileForm>> = {
  Q4_0: 'tiles4',
  Q4_1: 'tiles4',
  Q8_0: 'tiles8',
  BF16: 'tiles16',
};
export const tileBits: Readonly<Record<TileForm, TileBits>> = { tiles4: 4, tiles8: 8, tiles16: 16 };

type TileArray = 'tiles' | 'scales' | 'offsets';
const arraysByForm: Readonly<Record<TileForm, readonly TileArray[]>> = {
  tiles4: ['tiles', 'scales', 'offsets'],
  tiles8: ['tiles', 'scales'],
  tiles16: ['tiles'],
};

interface TilePart extends CachePart {
  readonly group: LinearGroup;
  readonly form: TileForm;
  readonly array: TileArray;
  readonly outputs: number;
  readonly width: number;
}

/** A group's matrices below each other. */
interface Tiles {
  readonly tiles: Uint32Array;
  readonly scales: Float32Array | null;
  readonly offsets: Float32Array | null;
}

/**
 * The linear layers whose weights Tiller's own operator takes as the checkpoint holds them, laid out for it (tile-layout.ts) in a
 * cache file `weights/<hash>.tiles.v1.bin` (cache-file.ts), the weights unchanged. A group that mixes types, or whose width is no
 * multiple of 32, is left out. Throws `disk_full`.
 */
export async function prepareTileWeights(
  checkpoint: Checkpoint,
  options: { readonly cacheDirectory: string; readonly onProgress?: ProgressListener },
): Promise<StoredLinears> {
  const parts = linearGroups(checkpoint.config).flatMap((group) => tileParts(checkpoint, group));
  const arrays = new Map<string, StoredArray>();
  const forms = new Map<string, LinearForm>();
  if (parts.length === 0) return { forms, arrays };
  const { cacheDirectory, onProgress } = options;
  const hash = await checkpoint.contentHash({ cacheDirectory });
  let current: { readonly group: LinearGroup; readonly made: Tiles } | null = null;
  const locations = await prepareCacheFile({
    folder: join(cacheDirectory, 'weights'),
    name: `${hash}.tiles.v${formatVersion}`,
    formatVersion,
    hash,
    recipe: takenRecipe(checkpoint.tensors.values()),
    parts,
    label: 'Laying out weights',
    onProgress,
    write: async (part, file) => {
      if (current?.group !== part.group) current = { group: part.group, made: await layOut(checkpoint, part) };
      const values = current.made[part.array];
      if (values) await file.write(new Uint8Array(values.buffer));
    },
  });
  for (const { name, group, form, array } of parts) {
    const location = locations.get(name);
    if (!location) continue;
    arrays.set(name, { location, type: array === 'tiles' ? 'uint8' : 'float32' });
    forms.set(group.name, form);
  }
  return { forms, arrays };
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
  const infos = group.weights.map((name) => checkpoint.tensors.get(name));
  const [form, ...others] = new Set(infos.map((info) => info && formsByType[info.type]));
  const width = infos[0]?.shape[1] ?? 0;
  if (form === undefined || others.length > 0 || width === 0 || width % tileInputs !== 0) return [];
  const outputs = infos.reduce((sum, info) => sum + (info?.shape[0] ?? 0), 0);
  const shapes = tileShapes(outputs, width, tileBits[form]);
  return arraysByForm[form].map((array) => {
    const shape = array === 'tiles' ? shapes.tiles : shapes.scales;
    const byteLength = elementCount(shape) * (array === 'tiles' ? 1 : 4);
    return { name: `${group.name}.${array}`, group, form, array, outputs, width, shape, byteLength };
  });
}

async function layOut(checkpoint: Checkpoint, { group, form, outputs, width }: TilePart): Promise<Tiles> {
  const blocks = width / tileInputs;
  const shapes = tileShapes(outputs, width, tileBits[form]);
  const numbers = () => new Float32Array(elementCount(shapes.scales));
  const made = {
    tiles: new Uint32Array(elementCount(shapes.tiles) / 4),
    scales: form === 'tiles16' ? null : numbers(),
    offsets: form === 'tiles4' ? numbers() : null,
  };
  let first = 0;
  for (const name of group.weights) {
    first += await placeMatrix(checkpoint, name, made, first, blocks);
  }
  return made;
}

/** Puts one matrix where its outputs belong, from `first` on; returns how many it has. */
async function placeMatrix(
  checkpoint: Checkpoint,
  name: string,
  { tiles, scales, offsets }: Tiles,
  first: number,
  blocks: number,
): Promise<number> {
  const four = offsets && (await checkpoint.readFourBitBlocks(name));
  const eight = !offsets && scales && (await checkpoint.readEightBitBlocks(name));
  const blocked = four || eight;
  const rows = checkpoint.tensors.get(name)?.shape[0] ?? 0;
  const plain = blocked ? null : new Float32Array(rows * blocks * tileInputs);
  if (plain) await checkpoint.readFloat32(name, plain);
  const bits = plain && new Uint32Array(plain.buffer);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const from = row * blocks + block;
      const output = first + row;
      if (bits) placeNumbers(tiles, output, block, blocks, bits, from * tileInputs);
      else if (four) placeFourBits(tiles, output, block, blocks, four.quants, from * (tileInputs / 2));
      else if (eight) placeEightBits(tiles, output, block, blocks, eight.quants, from * tileInputs);
      const at = scaleIndex(output, block, blocks);
      if (scales && blocked) scales[at] = blocked.scales[from] as number;
      if (offsets && four) offsets[at] = four.offsets[from] as number;
    }
  }
  return rows;
}
