import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeWeights, halfBits } from '../../bench/weights/encode-weights.ts';
import { readHeaderBytes } from '../../bench/weights/gguf-header.ts';
import { interleave, writeGguf } from '../../bench/weights/write-gguf.ts';
import { openCheckpoint } from '../../engine/checkpoint/index.ts';
import { temporaryFolder } from '../engine/checkpoint/fixtures.ts';
import { ggufBytes, metadata, tinyDataBytes, tinyMetadata, tinyTensors } from '../engine/checkpoint/gguf-bytes.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

let source: Buffer;

beforeAll(() => {
  const entries = [
    ...tinyMetadata(),
    metadata.uint32('general.file_type', 3),
    metadata.string('general.name', 'größe'),
  ];
  source = ggufBytes({ metadata: entries, tensors: tinyTensors(), data: tinyDataBytes });
  const next = randomNumbers(7);
  for (let at = source.length - tinyDataBytes; at < source.length; at += 4) source.writeFloatLE(next(), at);
});

async function rewritten(type: 'F32' | 'BF16' | 'Q8_0') {
  const folder = await temporaryFolder();
  const [from, to] = [join(folder, 'source.gguf'), join(folder, 'deep', 'target.gguf')];
  await writeFile(from, source);
  await writeGguf(from, to, type);
  return { from, to };
}

/** All weights as float32 by name. */
async function weights(path: string): Promise<Map<string, Float32Array>> {
  const checkpoint = await openCheckpoint(path);
  const values = new Map<string, Float32Array>();
  for (const { name, shape } of checkpoint.tensors.values()) {
    const into = new Float32Array(shape.reduce((product, size) => product * size, 1));
    await checkpoint.readFloat32(name, into);
    values.set(name, into);
  }
  await checkpoint.close();
  return values;
}

describe('writing GGUF files', () => {
  it('gives the same file for the same type, but for general.file_type', async () => {
    const { to } = await rewritten('F32');
    const target = await readFile(to);
    const { fileTypeAt, keyValues } = await readHeaderBytes(to);
    const expected = Buffer.from(source);
    expected.writeUInt32LE(0, 24 + Number(fileTypeAt));
    expect(target.equals(expected)).toBe(true);
    expect(keyValues.includes('größe')).toBe(true);
  });

  it.each([
    ['BF16', 2 ** -9, 32],
    ['Q8_0', 0.5 / 254 + 2 ** -12, 7],
  ] as const)('writes matrices as %s and vectors exactly', async (type, tolerance, fileType) => {
    const { from, to } = await rewritten(type);
    const [before, after] = [await weights(from), await weights(to)];
    for (const [name, values] of before) {
      const written = after.get(name) ?? new Float32Array();
      const difference = values.reduce((most, value, i) => Math.max(most, Math.abs(value - written[i])), 0);
      if (name.includes('norm')) expect(difference).toBe(0);
      else expect(difference).toBeGreaterThan(0);
      expect(difference).toBeLessThanOrEqual(tolerance);
    }
    const { fileTypeAt, keyValues } = await readHeaderBytes(to);
    expect(keyValues.readUInt32LE(Number(fileTypeAt))).toBe(fileType);
  });

  it('leaves a file alone that is there', async () => {
    const { from, to } = await rewritten('BF16');
    const before = await stat(to);
    await writeGguf(from, to, 'BF16');
    expect((await stat(to)).mtimeMs).toBe(before.mtimeMs);
  });

  it('interleaves the halves of each head', () => {
    const rows = Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13);
    expect([...interleave(rows, 4, 1)]).toEqual([0, 2, 1, 3, 10, 12, 11, 13]);
  });
});

describe('encoding weights', () => {
  it('rounds bfloat16 to nearest, ties to even', () => {
    const halves = encodeWeights('BF16', Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -2));
    expect([...new Uint16Array(halves.buffer)]).toEqual([0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xc000]);
  });

  it('gives half precision bits', () => {
    const values = [0, 1, 0.5, 65504, 2 ** -14, 2 ** -24, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2047.9999];
    const bits = [0, 0x3c00, 0x3800, 0x7bff, 0x0400, 0x0001, 0x3c00, 0x3c02, 0x6800];
    expect(values.map(halfBits)).toEqual(bits);
  });

  it('gives zeros for a Q8_0 block of zeros', () => {
    expect([...encodeWeights('Q8_0', new Float32Array(32))]).toEqual(new Array(34).fill(0));
  });

  it('gives Q4_0 as ggml does: the value farthest from zero is level 0, whatever its sign', () => {
    // scale 0.5: the levels are −8 … 7 halves; 3.9 and 4 are cut off at 3.5
    const values = new Float32Array(32).map((_, i) => ((i % 16) - 8) / 2);
    values.set([3.9, 4], 30);
    const bytes = encodeWeights('Q4_0', values);
    expect([...bytes.subarray(0, 2)]).toEqual([0x00, 0x38]);
    expect([...bytes.subarray(2)].map((byte) => byte & 15)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect([...bytes.subarray(2)].map((byte) => byte >> 4).slice(0, 14)).toEqual(
      Array.from({ length: 14 }, (_, i) => i),
    );
    expect([...bytes.subarray(16)].map((byte) => byte >> 4)).toEqual([15, 15]);
    // of a positive value the scale is negative
    const positive = encodeWeights('Q4_0', new Float32Array(32).fill(8));
    expect([...positive]).toEqual([0x00, 0xbc, ...new Array(16).fill(0)]);
    expect([...encodeWeights('Q4_0', new Float32Array(32))]).toEqual([0, 0, ...new Array(16).fill(0x88)]);
  });

  it('rounds Q4_0 by no more than half a level, but for what is cut off', () => {
    const next = randomNumbers(3);
    const values = new Float32Array(320).map(() => next());
    const bytes = encodeWeights('Q4_0', values);
    for (const [i, value] of values.entries()) {
      const block = values.subarray(i - (i % 32), i - (i % 32) + 32);
      const extreme = block.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0);
      const scale = extreme / -8;
      const byte = bytes[Math.floor(i / 32) * 18 + 2 + (i % 16)];
      const level = i % 32 < 16 ? byte & 15 : byte >> 4;
      const cut = value / scale > 7.5;
      expect(Math.abs((level - 8) * scale - value)).toBeLessThanOrEqual(Math.abs(scale) * (cut ? 1 : 0.501));
    }
  });
});
