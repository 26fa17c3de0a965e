import { TillerError } from '../core/index.ts';
import type { SequentialWriter } from './atomic-file.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type RowRange, readRowPieces, rowRanges } from './row-pieces.ts';
import type { TileForm } from './stored-linears.ts';
import { StripWindow } from './strip-window.ts';
import { elementCount } from './tensor.ts';
import {
  placeEightBits,
  placeFourBits,
  placeNumbers,
  scaleIndex,
  type TileBits,
  tileInputs,
  tileShapes,
} from './tile-layout.ts';

export const tileBits: Readonly<Record<TileForm, TileBits>> = { tiles4: 4, tiles4m: 4, tiles8: 8, tiles16: 16 };

/** Matrices below each other, of types that have the same form. */
export interface TiledGroup {
  readonly weights: readonly string[];
  readonly form: TileForm;
  readonly outputs: number;
  readonly width: number;
}

/** What belongs to a group's tiles, [strips, width / 32, 32] as float16 bits; null where its form has none. */
export interface TileNumbers {
  readonly scales: Uint16Array | null;
  readonly minima: Uint16Array | null;
}

/** Whole rows of a matrix, and how their blocks are put into tiles. */
interface Piece {
  readonly rows: number;
  place(into: Uint32Array, output: number, block: number, blocks: number, from: number): void;
  readonly scales: Uint16Array | null;
  readonly minima: Uint16Array | null;
}

/** Writes a group's tiles, a few strips at a time, and gives what is written after them. */
export async function writeTiles(
  checkpoint: Checkpoint,
  { weights, form, outputs, width }: TiledGroup,
  file: SequentialWriter,
  report: () => void,
): Promise<TileNumbers> {
  const blocks = width / tileInputs;
  const shapes = tileShapes(outputs, width, tileBits[form]);
  const makeNumbers = () => new Uint16Array(elementCount(shapes.scales));
  const scales = form === 'tiles16' ? null : makeNumbers();
  const minima = form === 'tiles4m' ? makeNumbers() : null;
  const window = new StripWindow(file, elementCount(shapes.tiles) / shapes.tiles[0], report);
  let output = 0;
  for (const name of weights) {
    for await (const piece of piecesOf(checkpoint, name, form)) {
      for (let row = 0; row < piece.rows; row++, output++) {
        const place = await window.next();
        for (let block = 0; block < blocks; block++) {
          const from = row * blocks + block;
          piece.place(window.words, place, block, blocks, from);
          const at = scaleIndex(output, block, blocks);
          if (scales && piece.scales) scales[at] = piece.scales[from] as number;
          if (minima && piece.minima) minima[at] = piece.minima[from] as number;
        }
      }
    }
  }
  await window.flush();
  return { scales, minima };
}

async function* piecesOf(checkpoint: Checkpoint, name: string, form: TileForm): AsyncGenerator<Piece> {
  if (form === 'tiles16') {
    for await (const { rows, values } of readRowPieces(checkpoint, name)) {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
      yield {
        rows,
        place: (into, output, block, blocks, from) =>
          placeNumbers(into, output, block, blocks, bits, from * tileInputs),
        scales: null,
        minima: null,
      };
    }
    return;
  }
  const [rows = 0, width = 0] = checkpoint.tensors.get(name)?.shape ?? [];
  for (const range of rowRanges(rows, width)) {
    const piece =
      tileBits[form] === 4 ? await fourBits(checkpoint, name, range) : await eightBits(checkpoint, name, range);
    if (!piece) throw new TillerError('internal', `${name} is not stored in blocks.`);
    yield piece;
  }
}

async function fourBits(checkpoint: Checkpoint, name: string, range: RowRange): Promise<Piece | null> {
  const read = await checkpoint.readFourBitBlocks(name, range);
  if (!read) return null;
  const { rows, quants, halves } = read;
  return {
    rows,
    place: (into, output, block, blocks, from) =>
      placeFourBits(into, output, block, blocks, quants, from * (tileInputs / 2)),
    ...halves,
  };
}

async function eightBits(checkpoint: Checkpoint, name: string, range: RowRange): Promise<Piece | null> {
  const read = await checkpoint.readEightBitBlocks(name, range);
  if (!read) return null;
  const { rows, quants, halfScales } = read;
  return {
    rows,
    place: (into, output, block, blocks, from) =>
      placeEightBits(into, output, block, blocks, quants, from * tileInputs),
    scales: halfScales,
    minima: null,
  };
}
