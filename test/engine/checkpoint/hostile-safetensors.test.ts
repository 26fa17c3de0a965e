import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, openTensorFile } from '../../../engine/checkpoint/index.ts';
import { folderWith, refusal, safetensorsBytes, tinyLlama } from './fixtures.ts';

const entry = (start: number, end: number, more: object = {}) => ({
  dtype: 'F32',
  shape: [(end - start) / 4],
  data_offsets: [start, end],
  ...more,
});

async function open(bytes: Uint8Array) {
  return openTensorFile(join(await folderWith({ 'x.safetensors': bytes }), 'x.safetensors'));
}

describe('a hostile safetensors file is refused', () => {
  it.each<[string, Buffer, string]>([
    ['shorter than its length field', Buffer.alloc(5), 'eight bytes'],
    ['header longer than the file', safetensorsBytes({ a: entry(0, 8) }, 8, 1n << 62n), 'header claims'],
    ['header beyond the limit', safetensorsBytes('{}', 8, 100_000_001n), 'header claims'],
    ['header not JSON', safetensorsBytes('{"a": nope}', 0), 'not JSON'],
    [
      'header not UTF-8',
      Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0x7b, 0xff, 0x22, 0x7d])]),
      'not JSON',
    ],
    ['header an array', safetensorsBytes([1], 0), 'not a JSON object'],
    [
      'a name twice',
      safetensorsBytes(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061" :{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        8,
      ),
      "'a' twice",
    ],
    ['truncated', safetensorsBytes({ a: entry(0, 8), b: entry(8, 16) }, 12), "tensor 'b' ends at byte"],
    ['overlap', safetensorsBytes({ a: entry(0, 8), b: entry(4, 12) }, 12), "tensor 'b' overlaps tensor 'a'"],
    ['a gap', safetensorsBytes({ a: entry(0, 8), b: entry(12, 16) }, 16), "between tensor 'a' and tensor 'b'"],
    ['bytes after the end', safetensorsBytes({ a: entry(0, 8) }, 9), '1 bytes follow'],
    ['range reversed', safetensorsBytes({ a: entry(8, 0, { shape: [2] }) }, 8), "tensor 'a' has -8 bytes"],
    [
      'size and shape disagree',
      safetensorsBytes({ a: entry(0, 8, { shape: [3] }) }, 8),
      "tensor 'a' has 8 bytes, but F32 [3] takes 12",
    ],
    ['unknown dtype', safetensorsBytes({ a: entry(0, 8, { dtype: 'toString' }) }, 8), "unknown dtype 'toString'"],
    [
      'absurd shape',
      safetensorsBytes({ a: entry(0, 8, { shape: [2 ** 30, 2 ** 30] }) }, 8),
      "tensor 'a' claims 1152921504606",
    ],
    [
      'negative offset',
      safetensorsBytes({ a: entry(0, 8, { data_offsets: [-8, 0] }) }, 8),
      "tensor 'a' has a malformed entry",
    ],
    ['fractional shape', safetensorsBytes({ a: entry(0, 8, { shape: [0.5] }) }, 8), "tensor 'a' has a malformed entry"],
    [
      'too many dimensions',
      safetensorsBytes({ a: entry(0, 4, { shape: [1, 1, 1, 1, 1] }) }, 4),
      "tensor 'a' has a malformed entry",
    ],
  ])('%s', async (_, bytes, words) => {
    const error = await refusal(open(bytes));
    expect(error.code).toBe('checkpoint_invalid');
    expect(error.message).toContain(words);
  });

  it('and one of another element type when it is read', async () => {
    const file = await open(safetensorsBytes({ a: entry(0, 8, { dtype: 'I64', shape: [1] }) }, 8));
    expect((await refusal(file.readFloat32('a'))).message).toContain("'a' is of type I64");
    expect((await refusal(file.readFloat32('b'))).message).toContain("no tensor 'b'");
    await file.close();
  });

  it('and weights of another element type at once', async () => {
    const config = await readFile(join(tinyLlama, 'f32/config.json'));
    const weights = safetensorsBytes({ 'model.norm.weight': entry(0, 64, { dtype: 'F8_E4M3', shape: [64] }) }, 64);
    const error = await refusal(
      openCheckpoint(await folderWith({ 'config.json': config, 'model.safetensors': weights })),
    );
    expect(error.code).toBe('checkpoint_unsupported');
    expect(error.message).toContain("'model.norm.weight' is of type F8_E4M3");
  });

  it.each([
    [{ weight_map: { a: '../../etc/passwd' } }, 'not a plain file name'],
    [{ weight_map: { a: '/x.safetensors' } }, 'not a plain file name'],
    [{ weight_map: {} }, 'names no shards'],
    [{ weight_map: { 'model.norm.weight': 'model.safetensors', gone: 'model.safetensors' } }, "tensor 'gone'"],
  ])('an index such as %j', async (index, words) => {
    const config = await readFile(join(tinyLlama, 'f32/config.json'));
    const weights = await readFile(join(tinyLlama, 'f32/model.safetensors'));
    const files = { 'config.json': config, 'model.safetensors': weights, 'model.safetensors.index.json': index };
    expect((await refusal(openCheckpoint(await folderWith(files)))).message).toContain(words);
  });
});
