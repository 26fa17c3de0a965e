import { firstWord, stripOutputs, tileOutputs } from './tile-layout.ts';

/**
 * How signed 8-bit weights lie for Tiller's own operator IntegerProduct (engine/kernels/integer-product.cpp): in tiles of 64 inputs by
 * 16 outputs, two of them beside each other a strip of 32 outputs, arrays being [strips, blocks of 64 inputs, 2, 1024]. A tile is 16
 * rows of 16 words of 32 bits, a word for each output; that of row r holds inputs 4r … 4r + 3, least significant byte first. Inputs
 * beyond the width and outputs that fill up the last strip weigh nothing.
 */
const blockInputs = 64;
const tileWords = (blockInputs * tileOutputs) / 4;

/** What the operator's quanta of inputs are counted from. */
const zeroPoint = 128;

/** Sizes of the arrays of a matrix [outputs, width]. */
export function int8TileShapes(outputs: number, width: number) {
  const strips = Math.ceil(outputs / stripOutputs);
  return {
    tiles: [strips, Math.ceil(width / blockInputs), 2, tileWords * 4],
    scales: [strips, stripOutputs],
  } as const;
}

/** Puts the weights of an output where they belong, and gives −128 · their sum. */
export function placeIntegers(into: Uint32Array, output: number, quanta: Int8Array): number {
  const blocks = Math.ceil(quanta.length / blockInputs);
  let sum = 0;
  for (let block = 0; block < blocks; block++) {
    const tile = firstWord(output, block, blocks, tileWords);
    const from = block * blockInputs;
    const to = Math.min(quanta.length, from + blockInputs);
    for (let at = from; at < to; at += 4) {
      let word = 0;
      for (let i = 0; i < 4 && at + i < to; i++) {
        const quantum = quanta[at + i] as number;
        sum += quantum;
        word |= (quantum & 0xff) << (8 * i);
      }
      into[tile + ((at - from) / 4) * tileOutputs] = word >>> 0;
    }
  }
  return -zeroPoint * sum;
}
