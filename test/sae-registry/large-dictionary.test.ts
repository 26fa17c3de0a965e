import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Dictionary, loadDictionary } from '../../sae-registry/index.ts';
import { writeSparseSafetensors } from '../harness/write-safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-large-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [width, features] = [4096, 2 ** 20];
/** Ten features far apart, each with one number of its own in either matrix. */
const chosen = Array.from({ length: 10 }, (_, i) => Math.floor((i * (features - 1)) / 9));

/** A dictionary of a million features, 34 GB of which nearly all are holes; the two layouts of encoders. */
function write(name: string, columns: boolean): string {
  const path = join(folder, name);
  mkdirSync(path);
  const at = (feature: number, i: number) => feature * width + i;
  const rows = new Map(chosen.map((feature, i) => [at(feature, i), i + 1]));
  const turned = new Map(chosen.map((feature, i) => [i * features + feature, i + 1]));
  const b = { dtype: 'F32', shape: [features] } as const;
  const bDec = { dtype: 'F32', shape: [width] } as const;
  const wDec = { dtype: 'F32', shape: [features, width], values: rows } as const;
  if (columns) {
    const wEnc = { dtype: 'F32', shape: [width, features], values: turned } as const;
    writeSparseSafetensors(join(path, 'sae_weights.safetensors'), { W_enc: wEnc, W_dec: wDec, b_enc: b, b_dec: bDec });
    writeFileSync(join(path, 'cfg.json'), JSON.stringify({ architecture: 'standard', d_in: width, d_sae: features }));
  } else {
    const tensors = { 'encoder.weight': wDec, 'encoder.bias': b, W_dec: wDec, b_dec: bDec };
    writeSparseSafetensors(join(path, 'sae.safetensors'), tensors);
    writeFileSync(join(path, 'cfg.json'), JSON.stringify({ d_in: width, num_latents: features, k: 32 }));
  }
  return path;
}

const expectChosen = (dictionary: Dictionary) => {
  for (const [i, index] of chosen.entries()) {
    const { encoder, decoder } = dictionary.feature(index);
    for (const vector of [encoder, decoder]) expect(vector.findIndex((value) => value === i + 1)).toBe(i);
    expect(decoder.reduce((sum, value) => sum + value, 0)).toBe(i + 1);
  }
};

describe('a dictionary of 1,048,576 × 4,096', () => {
  it.each([
    ['as sparsify stores it, an encoder of rows', 'rows', false],
    ['as SAELens stores it, an encoder of columns', 'columns', true],
  ])('%s, gives ten features without being read whole', async (_, name, columns) => {
    const path = write(name, columns);
    const before = process.memoryUsage().rss;
    const started = performance.now();
    const dictionary = await loadDictionary(path);
    expect(dictionary).toMatchObject({ features, dIn: width, hash: expect.stringMatching(/^sampled-[0-9a-f]{64}$/) });
    expectChosen(dictionary);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(dictionary.residentBytes).toBeLessThan(2 ** 24);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
    const decoded = dictionary.decode(
      Float32Array.from({ length: features }, (_, j) => Number(j === chosen[3])),
      new Float32Array(width),
    );
    expect(decoded[3]).toBe(4);
  });
});

describe('rows that are read when they are asked for', () => {
  const small = (values: Map<number, number>) => {
    const path = mkdtempSync(join(folder, 'small-'));
    const matrix = { dtype: 'F32', shape: [8, 4], values } as const;
    const tensors = {
      'encoder.weight': matrix,
      'encoder.bias': { dtype: 'F32', shape: [8] },
      W_dec: matrix,
      b_dec: { dtype: 'F32', shape: [4] },
    } as const;
    writeSparseSafetensors(join(path, 'sae.safetensors'), tensors);
    writeFileSync(join(path, 'cfg.json'), JSON.stringify({ d_in: 4, num_latents: 8, k: 2 }));
    return path;
  };

  it('are refused, by feature, where they are not finite', async () => {
    const path = small(new Map([[9, Number.NaN]]));
    await expect(loadDictionary(path)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/encoder\.weight has a value that is not finite, in the row of feature 2/),
    });
    const dictionary = await loadDictionary(path, { maxResidentMatrixBytes: 0 });
    expect(dictionary.feature(1).decoder).toEqual(new Float32Array(4));
    expect(() => dictionary.feature(2)).toThrow(expect.objectContaining({ code: 'source_invalid' }));
  });

  it('are refused where the file was changed meanwhile', async () => {
    const path = small(new Map([[0, 1]]));
    const dictionary = await loadDictionary(path, { maxResidentMatrixBytes: 0 });
    expect(dictionary.feature(0).decoder[0]).toBe(1);
    utimesSync(join(path, 'sae.safetensors'), 1, 1);
    expect(dictionary.feature(0).decoder[0]).toBe(1);
    expect(() => dictionary.feature(1)).toThrow(/changed while it was in use/);
  });

  it.each([2 ** 30, 0])('are copies (%i bytes resident)', async (maxResidentMatrixBytes) => {
    const dictionary = await loadDictionary(small(new Map([[0, 1]])), { maxResidentMatrixBytes });
    dictionary.feature(0).decoder[0] = 5;
    expect(dictionary.feature(0).decoder[0]).toBe(1);
    for (const index of [-1, 8, 0.5]) expect(() => dictionary.feature(index)).toThrow(RangeError);
  });
});
