import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundledFolder, loadDictionary, ResidentMatrices } from '../../sae-registry/index.ts';
import { writeSparseSafetensors } from '../harness/write-safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-resident-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [width, features] = [4, 8];
/** Of one of the two matrices of a dictionary. */
const matrixBytes = width * features * 4;

/** A dictionary whose features write numbers of their own. */
function write(name: string, factor: number): string {
  const path = mkdtempSync(join(folder, name));
  const values = new Map(Array.from({ length: width * features }, (_, i) => [i, factor * (i + 1)]));
  const matrix = { dtype: 'F32', shape: [features, width], values } as const;
  writeSparseSafetensors(join(path, 'sae.safetensors'), {
    'encoder.weight': matrix,
    'encoder.bias': { dtype: 'F32', shape: [features] },
    W_dec: matrix,
    b_dec: { dtype: 'F32', shape: [width] },
  });
  writeFileSync(join(path, 'cfg.json'), JSON.stringify({ d_in: width, num_latents: features, k: 2 }));
  return path;
}

const expectRows = (dictionary: Awaited<ReturnType<typeof loadDictionary>>, factor: number) => {
  for (let index = 0; index < features; index++) {
    const expected = Array.from({ length: width }, (_, i) => factor * (index * width + i + 1));
    const { encoder, decoder } = dictionary.feature(index);
    expect([Array.from(encoder), Array.from(decoder)]).toEqual([expected, expected]);
  }
};

describe('matrices within a budget', () => {
  it('make room for others, are read from their files then, and come back', async () => {
    const resident = new ResidentMatrices(2 * matrixBytes);
    const [path, other] = [write('first', 1), write('second', 3)];
    const first = await loadDictionary(path, { resident });
    const second = await loadDictionary(other, { resident });
    expect(resident.bytes).toBe(2 * matrixBytes);
    const stream = Float32Array.of(1, 2, 3, 4);
    const expected = first.encode(stream);
    expectRows(first, 1);
    // as many rows as they have were read from the file: both are back, and those of the other are not there any more
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(resident.bytes).toBe(2 * matrixBytes);
    // a file that was changed is refused: only what is in memory can still be read
    for (const folderOf of [path, other]) utimesSync(join(folderOf, 'sae.safetensors'), 1, 1);
    expect(first.encode(stream)).toEqual(expected);
    expect(() => second.encode(stream)).toThrow(/changed while it was in use/);
  });

  it('keep those that were used last', () => {
    const gone: string[] = [];
    const resident = new ResidentMatrices(10);
    const matrix = (name: string, bytes: number) => ({ bytes, evict: () => void gone.push(name) });
    const [a, b, c] = [matrix('a', 4), matrix('b', 4), matrix('c', 6)];
    resident.admit(a);
    resident.admit(b);
    resident.touch(a);
    resident.admit(c);
    expect(gone).toEqual(['b']);
    expect(resident.bytes).toBe(10);
    resident.admit(b);
    expect([gone, resident.bytes]).toEqual([['b', 'a'], 10]);
  });

  it('that no budget has room for are never held, and the figure says so', async () => {
    const resident = new ResidentMatrices(matrixBytes - 1);
    const dictionary = await loadDictionary(write('large', 2), { resident });
    expectRows(dictionary, 2);
    expect(resident.bytes).toBe(0);
  });

  it('of bundled sources: what is resident is what the budget leaves', async () => {
    const one = 576 * 4096 * 4;
    const resident = new ResidentMatrices(2 * one);
    const open = (name: string) => loadDictionary(join(bundledFolder(), 'smollm2-135m-instruct', name), { resident });
    const [first, second] = [await open('8-res-4k'), await open('17-res-4k')];
    expect(first.residentBytes).toBeLessThan(one);
    expect(second.residentBytes).toBeGreaterThan(2 * one);
    expect(Math.hypot(...first.feature(837).decoder)).toBeCloseTo(1, 3);
  });
});
