import { appendFile, mkdir, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeAtomically } from '../../../engine/checkpoint/atomic-file.ts';
import { type Checkpoint, openCheckpoint, prepareFloat32Weights } from '../../../engine/checkpoint/index.ts';
import type { Progress } from '../../../engine/core/index.ts';
import { refusal, temporaryFolder, tinyLlama } from './fixtures.ts';

/** Checks every tensor of the cache against the checkpoint; returns the cache file's path. */
async function prepareAndCheck(checkpoint: Checkpoint, cacheDirectory: string): Promise<string> {
  const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
  expect(weights.hash).toBe(await checkpoint.contentHash());
  expect([...weights.tensors.keys()]).toEqual([...checkpoint.tensors.keys()]);
  let file = '';
  for (const [name, { path, offset, byteLength, shape }] of weights.tensors) {
    file = path;
    expect(offset % 64).toBe(0);
    expect(shape).toEqual(checkpoint.tensors.get(name)?.shape);
    const expected = new Float32Array(byteLength / 4);
    await checkpoint.readFloat32(name, expected);
    const bytes = (await readFile(path)).subarray(offset, offset + byteLength);
    expect(Buffer.compare(bytes, Buffer.from(expected.buffer)), name).toBe(0);
  }
  return file;
}

const openGguf = () => openCheckpoint(join(tinyLlama, 'gguf'));

describe('prepareFloat32Weights', () => {
  it('uses F32 safetensors where they lie and writes nothing but the hash', async () => {
    const cacheDirectory = await temporaryFolder();
    const checkpoint = await openCheckpoint(join(tinyLlama, 'f32'));
    const weights = await prepareFloat32Weights(checkpoint, { cacheDirectory });
    const paths = new Set([...weights.tensors.values()].map(({ path }) => path));
    expect([...paths]).toEqual([join(tinyLlama, 'f32/model.safetensors')]);
    expect(await readdir(cacheDirectory)).toEqual(['hashes']);
    await checkpoint.close();
  });

  it.each(['gguf', 'bf16-sharded'])('dequantises %s once, and finds it again', async (folder) => {
    const cacheDirectory = await temporaryFolder();
    const checkpoint = await openCheckpoint(join(tinyLlama, folder));
    const seen: Progress[] = [];
    await prepareFloat32Weights(checkpoint, { cacheDirectory, onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.at(-1)?.done).toBe(seen.at(-1)?.total);
    await prepareAndCheck(checkpoint, cacheDirectory);
    const again: Progress[] = [];
    await prepareFloat32Weights(checkpoint, { cacheDirectory, onProgress: (progress) => again.push(progress) });
    expect(again).toEqual([]);
    await checkpoint.close();
  });

  it.each<[string, (bin: string, index: string) => Promise<void>]>([
    ['a truncated file', (bin) => truncate(bin, 1000)],
    ['a file that is too long', (bin) => appendFile(bin, 'x')],
    [
      'an index of another version',
      async (_, index) =>
        writeFile(index, (await readFile(index, 'utf8')).replace('"formatVersion":1', '"formatVersion":0')),
    ],
    ['an index that is not JSON', (_, index) => writeFile(index, '{')],
  ])('rebuilds %s', async (_, damage) => {
    const cacheDirectory = await temporaryFolder();
    const checkpoint = await openGguf();
    const bin = await prepareAndCheck(checkpoint, cacheDirectory);
    await damage(bin, bin.replace(/\.bin$/, '.json'));
    const rebuilt: Progress[] = [];
    await prepareFloat32Weights(checkpoint, { cacheDirectory, onProgress: (progress) => rebuilt.push(progress) });
    expect(rebuilt.length).toBeGreaterThan(0);
    await prepareAndCheck(checkpoint, cacheDirectory);
    await checkpoint.close();
  });

  it('leaves one whole file when several prepare at once, and clears what a dead process left', async () => {
    const cacheDirectory = await temporaryFolder();
    const checkpoints = await Promise.all([openGguf(), openGguf(), openGguf()]);
    const hash = await checkpoints[0].contentHash();
    const abandoned = join(cacheDirectory, 'weights', `${hash}.f32.v1.bin.1.aa.tmp`);
    const fresh = join(cacheDirectory, 'weights', `${hash}.f32.v1.bin.2.bb.tmp`);
    await mkdir(join(cacheDirectory, 'weights'));
    for (const path of [abandoned, fresh]) await writeFile(path, 'x');
    await utimes(abandoned, new Date(0), new Date(0));
    await Promise.all(checkpoints.map((checkpoint) => prepareFloat32Weights(checkpoint, { cacheDirectory })));
    await prepareAndCheck(checkpoints[0], cacheDirectory);
    const names = (await readdir(join(cacheDirectory, 'weights'))).sort();
    expect(names).toEqual([`${hash}.f32.v1.bin`, `${hash}.f32.v1.bin.2.bb.tmp`, `${hash}.f32.v1.json`]);
    await Promise.all(checkpoints.map((checkpoint) => checkpoint.close()));
  });

  it('leaves nothing when reading fails half-way', async () => {
    const cacheDirectory = await temporaryFolder();
    const checkpoint = await openGguf();
    const failing: Checkpoint = {
      ...pick(checkpoint),
      readPieces: (name) => {
        if (name === 'model.norm.weight') throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return checkpoint.readPieces(name);
      },
    };
    const error = await refusal(prepareFloat32Weights(failing, { cacheDirectory }));
    expect(error.code).toBe('disk_full');
    expect(await readdir(join(cacheDirectory, 'weights'))).toEqual([]);
    await checkpoint.close();
  });
});

/** A checkpoint as a plain object, to change a part of. */
function pick(checkpoint: Checkpoint): Checkpoint {
  const { path, format, config, tensors, tokenizerFiles, chatTemplate, inPlace } = checkpoint;
  return {
    path,
    format,
    config,
    tensors,
    tokenizerFiles,
    chatTemplate,
    inPlace,
    readPieces: (name) => checkpoint.readPieces(name),
    readFloat32: (name, into) => checkpoint.readFloat32(name, into),
    readFourBitBlocks: (name, rows) => checkpoint.readFourBitBlocks(name, rows),
    readEightBitBlocks: (name, rows) => checkpoint.readEightBitBlocks(name, rows),
    contentHash: (options) => checkpoint.contentHash(options),
    close: () => checkpoint.close(),
  };
}

describe('contentHash with a cache', () => {
  it('is remembered until the file changes', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x.gguf');
    const original = await readFile(join(tinyLlama, 'gguf/tiny-llama.gguf'));
    await writeFile(path, original);
    const hash = async () => {
      const checkpoint = await openCheckpoint(path);
      const result = await checkpoint.contentHash({ cacheDirectory: folder });
      await checkpoint.close();
      return result;
    };
    const first = await hash();
    const [record] = await readdir(join(folder, 'hashes'));
    const text = await readFile(join(folder, 'hashes', record), 'utf8');
    await writeFile(join(folder, 'hashes', record), text.replace(first, 'f'.repeat(64)));
    expect(await hash()).toBe('f'.repeat(64)); // it believes the record
    await utimes(path, new Date(), new Date(1e12));
    expect(await hash()).toBe(first); // another modification time: it looks again
    await writeFile(join(folder, 'hashes', record), 'damaged');
    expect(await hash()).toBe(first);
  });
});

describe('writeAtomically', () => {
  it('replaces a file only when the new one is whole', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x');
    await writeAtomically(path, (file) => file.write(Buffer.from('one')));
    const failure = writeAtomically(path, async (file) => {
      await file.write(Buffer.from('two'));
      throw new Error('stop');
    });
    await expect(failure).rejects.toThrow('stop');
    expect(await readFile(path, 'utf8')).toBe('one');
    expect(await readdir(folder)).toEqual(['x']);
  });
});
