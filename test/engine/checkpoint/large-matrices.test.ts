import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeWeights, type StoredType, storedTypes } from '../../../bench/weights/encode-weights.ts';
import {
  type Checkpoint,
  int8TileShapes,
  openCheckpoint,
  prepareBlockWeights,
  prepareFloat32Weights,
  prepareInt8Tiles,
  prepareInt8Weights,
  prepareTileWeights,
  type StoredLinears,
  tileShapes,
  unreadWeights,
} from '../../../engine/checkpoint/index.ts';
import { placeColumns, quantiseRows } from '../../../engine/checkpoint/int8-rows.ts';
import { placeIntegers } from '../../../engine/checkpoint/int8-tile-layout.ts';
import { readRowPieces, rowRanges } from '../../../engine/checkpoint/row-pieces.ts';
import { placeEightBits, placeFourBits, placeNumbers, scaleIndex } from '../../../engine/checkpoint/tile-layout.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';
import { folderWith, temporaryFolder, tinyLlama } from './fixtures.ts';
import { ggufBytes, tinyDataBytes, tinyMetadata, tinyTensors } from './gguf-bytes.ts';

const embedding = 'model.embed_tokens.weight';
const width = 32;
/** Several runs of a million weights, more than one window of tiles, and no whole strip at the end. */
const rows = 140_007;

/** A tiny llama with a tied embedding of many tokens in a type; all else is F32 and zero. */
async function withManyTokens(type: StoredType): Promise<{ checkpoint: Checkpoint; cacheDirectory: string }> {
  const next = randomNumbers(5);
  const some = new Float32Array(width * 1009).map(() => next());
  const encoded = encodeWeights(type, some);
  const matrix = Buffer.alloc((encoded.length / 1009) * rows, encoded);
  const others = tinyTensors().slice(1);
  const tensors = [
    { name: 'token_embd.weight', dims: [width, rows], type: storedTypes[type].tensorType, offset: tinyDataBytes },
    ...others,
  ];
  const padding = (32 - (tinyDataBytes % 32)) % 32;
  const bytes = ggufBytes({ metadata: tinyMetadata(), tensors, data: tinyDataBytes + padding + matrix.length });
  matrix.copy(bytes, bytes.length - matrix.length - padding);
  const cacheDirectory = await temporaryFolder();
  const checkpoint = await openCheckpoint(join(await folderWith({ 'x.gguf': bytes }), 'x.gguf'));
  return { checkpoint, cacheDirectory };
}

async function bytesOf({ arrays }: StoredLinears, array: string): Promise<Buffer> {
  const location = arrays.get(`unembedding.${array}`)?.location;
  if (!location) throw new Error(`no ${array}`);
  return (await readFile(location.path)).subarray(location.offset, location.offset + location.byteLength);
}

async function whole(checkpoint: Checkpoint): Promise<Float32Array> {
  const values = new Float32Array(rows * width);
  await checkpoint.readFloat32(embedding, values);
  return values;
}

const same = (bytes: Buffer, expected: ArrayBufferView) =>
  bytes.equals(Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength));

describe('a matrix of several pieces', () => {
  it('is the same in int8 as quantised whole', async () => {
    const { checkpoint, cacheDirectory } = await withManyTokens('BF16');
    const stored = await prepareInt8Weights(checkpoint, { cacheDirectory });
    const { quanta, scales } = quantiseRows(await whole(checkpoint), width);
    const values = new Int8Array(rows * width);
    placeColumns(quanta, { firstRow: 0, rows, width }, values);
    expect(same(await bytesOf(stored, 'values'), values)).toBe(true);
    expect(same(await bytesOf(stored, 'scales'), scales)).toBe(true);
    const laidOut = await prepareInt8Tiles(checkpoint, { cacheDirectory });
    const shapes = int8TileShapes(rows, width);
    const tiles = new Uint32Array(shapes.tiles.reduce((product, size) => product * size, 1) / 4);
    const offsets = new Int32Array(shapes.scales.reduce((product, size) => product * size, 1));
    for (let row = 0; row < rows; row++) {
      offsets[row] = placeIntegers(tiles, row, quanta.subarray(row * width, (row + 1) * width));
    }
    expect(same(await bytesOf(laidOut, 'tiles'), tiles)).toBe(true);
    expect(same(await bytesOf(laidOut, 'offsets'), offsets)).toBe(true);
    expect(same((await bytesOf(laidOut, 'scales')).subarray(0, 4 * rows), scales)).toBe(true);
    await checkpoint.close();
  });

  it.each(['Q4_0', 'Q8_0'] as const)('is the same in blocks as taken apart whole (%s)', async (type) => {
    const { checkpoint, cacheDirectory } = await withManyTokens(type);
    const stored = await prepareBlockWeights(checkpoint, { cacheDirectory });
    const expected =
      (await checkpoint.readFourBitBlocks(embedding)) ?? (await checkpoint.readEightBitBlocks(embedding));
    if (!expected) throw new Error('no blocks');
    expect(same(await bytesOf(stored, 'quants'), expected.quants)).toBe(true);
    expect(same(await bytesOf(stored, 'scales'), expected.scales)).toBe(true);
    await checkpoint.close();
  });

  it.each(['BF16', 'Q8_0', 'Q4_0'] as const)('is the same in tiles as laid out whole (%s)', async (type) => {
    const { checkpoint, cacheDirectory } = await withManyTokens(type);
    const stored = await prepareTileWeights(checkpoint, { cacheDirectory });
    const shapes = tileShapes(rows, width, ({ BF16: 16, Q8_0: 8, Q4_0: 4 } as const)[type]);
    const tiles = new Uint32Array(shapes.tiles.reduce((product, size) => product * size, 1) / 4);
    const scales = new Uint16Array(shapes.scales.reduce((product, size) => product * size, 1));
    const four = await checkpoint.readFourBitBlocks(embedding);
    const eight = await checkpoint.readEightBitBlocks(embedding);
    const bits = new Uint32Array((await whole(checkpoint)).buffer);
    for (let row = 0; row < rows; row++) {
      if (four) placeFourBits(tiles, row, 0, 1, four.quants, row * 16);
      else if (eight) placeEightBits(tiles, row, 0, 1, eight.quants, row * width);
      else placeNumbers(tiles, row, 0, 1, bits, row * width);
      scales[scaleIndex(row, 0, 1)] = (four?.halves.scales ?? eight?.halfScales)?.[row] ?? 0;
    }
    expect(same(await bytesOf(stored, 'tiles'), tiles)).toBe(true);
    if (type !== 'BF16') expect(same(await bytesOf(stored, 'scales'), scales)).toBe(true);
    await checkpoint.close();
  });
});

describe('rows', () => {
  it('come whole, however a tensor is cut into pieces', async () => {
    const values = Float32Array.from({ length: 7 * 3 }, (_, i) => i);
    for (const cuts of [[21], [1, 1, 1, 18], [2, 5, 14], [4, 4, 4, 9], [7, 7, 7], [20, 1]]) {
      const checkpoint = {
        tensors: new Map([['w', { name: 'w', shape: [7, 3], type: 'F32', byteLength: 84 }]]),
        async *readPieces() {
          let start = 0;
          for (const count of cuts) {
            yield { start, values: values.slice(start, start + count) };
            start += count;
          }
        },
      } as unknown as Checkpoint;
      const seen: number[] = [];
      for await (const { first, rows: count, values: piece } of readRowPieces(checkpoint, 'w')) {
        expect(first * 3).toBe(seen.length);
        expect(piece.length).toBe(count * 3);
        seen.push(...piece);
      }
      expect(seen, String(cuts)).toEqual([...values]);
    }
  });

  it('of stored blocks are those of the whole matrix, also where a range cuts through a reordered head', async () => {
    const checkpoint = await openCheckpoint(join(tinyLlama, 'gguf/tiny-llama.gguf'));
    let compared = 0;
    for (const { name } of checkpoint.tensors.values()) {
      const all = await checkpoint.readFourBitBlocks(name);
      if (!all) continue;
      for (const range of rowRanges(all.rows, all.width, 5 * all.width)) {
        const part = await checkpoint.readFourBitBlocks(name, range);
        const at = (perRow: number) => [range.first * perRow, (range.first + range.count) * perRow] as const;
        expect(part?.quants).toEqual(all.quants.slice(...at(all.width / 2)));
        expect(part?.scales).toEqual(all.scales.slice(...at(all.width / 32)));
        expect(part?.offsets).toEqual(all.offsets.slice(...at(all.width / 32)));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(20);
    await checkpoint.close();
  });

  it('are counted once each', () => {
    expect(rowRanges(7, 10, 30)).toEqual([
      { first: 0, count: 3 },
      { first: 3, count: 3 },
      { first: 6, count: 1 },
    ]);
    expect(rowRanges(2, 100, 30)).toHaveLength(2);
  });
});

describe('float32 of what is read', () => {
  it('leaves out matrices that every set stores, and never the embedding', async () => {
    const cacheDirectory = await temporaryFolder();
    const checkpoint = await openCheckpoint(join(tinyLlama, 'bf16-sharded'));
    const { config } = checkpoint;
    const stored = await prepareInt8Weights(checkpoint, { cacheDirectory });
    const partly: StoredLinears = {
      ...stored,
      forms: new Map([...stored.forms].filter(([group]) => group.endsWith('up_proj'))),
    };
    expect(unreadWeights(config, [])).toEqual(new Set());
    const ofPart = unreadWeights(config, [stored, partly]);
    expect([...ofPart].every((name) => /(gate|up)_proj\.weight$/.test(name))).toBe(true);
    expect(ofPart.size).toBe(2 * config.blocks);
    const without = unreadWeights(config, [stored]);
    expect(without.has(embedding)).toBe(false);

    const all = await prepareFloat32Weights(checkpoint, { cacheDirectory });
    const some = await prepareFloat32Weights(checkpoint, { cacheDirectory, without });
    expect([...some.tensors.keys()]).toEqual([...checkpoint.tensors.keys()].filter((name) => !without.has(name)));
    for (const [name, { path, offset, byteLength, shape }] of some.tensors) {
      const other = all.tensors.get(name);
      if (!other) throw new Error(name);
      expect(path).not.toBe(other.path);
      expect(shape).toEqual(other.shape);
      const part = (await readFile(path)).subarray(offset, offset + byteLength);
      expect(part.equals((await readFile(other.path)).subarray(other.offset, other.offset + byteLength))).toBe(true);
    }
    await checkpoint.close();
  });
});
