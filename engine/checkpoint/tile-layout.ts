/**
 * How the weights of linear layers lie for Tiller's own operator Product (engine/kernels/tiles.hpp): in tiles of 32 inputs by 16
 * outputs, two of them beside each other a strip of 32 outputs, arrays being [strips, width / 32, 2, bytes of a tile]. A tile is rows
 * of 16 words of 32 bits, a word for each output:
 *
 * | bits | rows | a word of row r, least significant bits first                                                  |
 * |------|------|-----------------------------------------------------------------------------------------------|
 * | 16   | 16   | inputs 2r and 2r + 1 as bfloat16                                                               |
 * | 4    | 4    | in each half of 16 bits four inputs as q + 8: 8r, 8r + 2, 8r + 4, 8r + 6, and those after them |
 *
 * A tile of 8 bits is signed bytes, [32 inputs, 16 outputs].
 */
export type TileBits = 4 | 8 | 16;

export const tileInputs = 32;
export const stripOutputs = 32;
export const tileOutputs = 16;

/** Sizes of the arrays of a matrix [outputs, width]. */
export function tileShapes(outputs: number, width: number, bits: TileBits) {
  const strips = Math.ceil(outputs / stripOutputs);
  const blocks = width / tileInputs;
  return {
    tiles: [strips, blocks, 2, (tileInputs * tileOutputs * bits) / 8],
    scales: [strips, blocks, stripOutputs],
  } as const;
}

/** Where a block's scale stands in [strips, blocks, 32]. */
export function scaleIndex(output: number, block: number, blocks: number): number {
  return (Math.floor(output / stripOutputs) * blocks + block) * stripOutputs + (output % stripOutputs);
}

/** The index of the first 32-bit word of an output in a block's tile, and the words from one of its rows to the next. */
export function firstWord(output: number, block: number, blocks: number, wordsPerTile: number): number {
  const strip = Math.floor(output / stripOutputs);
  const side = Math.floor((output % stripOutputs) / tileOutputs);
  return ((strip * blocks + block) * 2 + side) * wordsPerTile + (output % tileOutputs);
}

/** Puts 32 weights of an output, q in 0 … 15, given two to a byte with the even one in the low half, where they belong. */
export function placeFourBits(
  into: Uint32Array,
  output: number,
  block: number,
  blocks: number,
  pairs: Uint8Array,
  at: number,
): void {
  const word = firstWord(output, block, blocks, 64);
  for (let row = 0; row < 4; row++) {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 4; i++) {
      const pair = pairs[at + 4 * row + i] as number;
      low |= (pair & 15) << (4 * i);
      high |= (pair >> 4) << (4 * i);
    }
    into[word + row * tileOutputs] = (low | (high << 16)) >>> 0;
  }
}

/** The same for 32 bytes q + 128. */
export function placeEightBits(
  into: Uint32Array,
  output: number,
  block: number,
  blocks: number,
  bytes: Uint8Array,
  at: number,
): void {
  const side = firstWord(output, block, blocks, 128) - (output % tileOutputs);
  const tile = new Uint8Array(into.buffer, into.byteOffset + 4 * side, tileInputs * tileOutputs);
  for (let i = 0; i < tileInputs; i++)
    tile[i * tileOutputs + (output % tileOutputs)] = (bytes[at + i] as number) ^ 0x80;
}

/** The same for 32 float32 whose lower 16 bits are zero, given as their bits. */
export function placeNumbers(
  into: Uint32Array,
  output: number,
  block: number,
  blocks: number,
  bits: Uint32Array,
  at: number,
): void {
  const word = firstWord(output, block, blocks, 256);
  for (let row = 0; row < 16; row++) {
    const even = bits[at + 2 * row] as number;
    const odd = bits[at + 2 * row + 1] as number;
    into[word + row * tileOutputs] = ((even >>> 16) | (odd & 0xffff0000)) >>> 0;
  }
}
