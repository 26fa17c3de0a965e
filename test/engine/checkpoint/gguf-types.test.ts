import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dequantise } from '../../../engine/checkpoint/dequantise.ts';
import { blockLayouts, type TensorType } from '../../../engine/checkpoint/tensor.ts';

const path = resolve(import.meta.dirname, '../../fixtures/gguf-types/blocks.json');
const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const { types } = z
  .object({ types: z.record(z.string(), z.object({ blocks: bytes, float32: bytes })) })
  .parse(JSON.parse(readFileSync(path, 'utf8')));

/** Bit patterns, so that −0 is not 0 and a unit in the last place shows. */
function bits(values: Float32Array): number[] {
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
}

describe('every GGUF tensor type', () => {
  it('is in the fixture', () => {
    expect(Object.keys(types).sort()).toEqual(Object.keys(blockLayouts).sort());
  });

  it.each(Object.keys(blockLayouts) as TensorType[])(
    '%s is dequantised as the gguf package does it, bit for bit',
    (type) => {
      const { blocks, float32 } = types[type];
      const expected = new Float32Array(float32.buffer, float32.byteOffset, float32.length / 4);
      const { elements, bytes: width } = blockLayouts[type];
      expect(blocks.length).toBe((expected.length / elements) * width);
      const whole = new Float32Array(expected.length);
      dequantise(type, blocks, whole);
      expect(bits(whole)).toEqual(bits(expected));
      // A piece in the middle of a larger buffer, as the reader asks for it.
      const room = new Float32Array(expected.length).fill(7);
      const half = expected.length / 2;
      dequantise(type, blocks.subarray(blocks.length / 2), room.subarray(half));
      expect(bits(room.subarray(half))).toEqual(bits(expected.subarray(half)));
      expect(room.subarray(0, half).every((value) => value === 7)).toBe(true);
    },
  );
});
