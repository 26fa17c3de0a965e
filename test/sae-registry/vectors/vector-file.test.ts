import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { controlVectorFile, readVectorFile } from '../../../sae-registry/index.ts';
import { writeSparseSafetensors } from '../../harness/write-safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-vector-file-'));
const path = join(folder, 'file');
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = readFileSync(join(import.meta.dirname, '../../fixtures/control-vector/vector.gguf'));
const read = (bytes: Uint8Array | string) => {
  writeFileSync(path, bytes);
  return readVectorFile(path);
};

describe('a control vector', () => {
  it("of llama.cpp's own package has the directions that were put in, at what comes out of their blocks", async () => {
    expect(await read(fixture)).toEqual({
      format: 'control_vector',
      directions: [
        { hookPoint: 'blocks.2.hook_resid_post', values: Float32Array.of(0.5, -0.5, 0.25) },
        { hookPoint: 'blocks.17.hook_resid_post', values: Float32Array.of(2, 2, 2) },
      ],
    });
  });

  it('comes back bit for bit as it was exported', async () => {
    const directions = [1, 5, 29].map((layer) => ({
      hookPoint: `blocks.${layer}.hook_resid_post`,
      values: Float32Array.from({ length: 33 }, (_, i) => Math.sin(layer + i) * 10 ** (i % 7)),
    }));
    const file = controlVectorFile(
      directions.map((direction) => ({ name: 'it', ...direction })),
      'm',
    );
    expect((await read(file)).directions).toEqual(directions);
  });
});

describe('safetensors', () => {
  it('are directions named by their hook points', async () => {
    const values = (...numbers: number[]) => new Map(numbers.map((value, i) => [i, value] as const));
    writeSparseSafetensors(path, {
      'blocks.3.hook_resid_post': { dtype: 'F32', shape: [3], values: values(1, -2, 3) },
      'blocks.4.hook_mlp_out': { dtype: 'F32', shape: [1, 2], values: values(0.5, 7) },
    });
    expect(await readVectorFile(path)).toEqual({
      format: 'safetensors',
      directions: [
        { hookPoint: 'blocks.3.hook_resid_post', values: Float32Array.of(1, -2, 3) },
        { hookPoint: 'blocks.4.hook_mlp_out', values: Float32Array.of(0.5, 7) },
      ],
    });
  });
});

describe('what is refused, without a word of where it lies', () => {
  it.each([
    ['nothing', '', /0 bytes/],
    ['a text', 'not a file of directions', /header/],
    ['a control vector that is cut off', fixture.subarray(0, fixture.length - 40), /truncated/],
    [
      'a GGUF of a model',
      Buffer.from(fixture.toString('latin1').replace('controlvector', 'controlvektor'), 'latin1'),
      /controlvektor/,
    ],
    [
      'another tensor',
      Buffer.from(fixture.toString('latin1').replace('direction.2', 'direktion.2'), 'latin1'),
      /direktion\.2/,
    ],
    ['a number that is not finite', withNaN(), /not finite/],
  ])('%s', async (_what, bytes, message) => {
    const failure = await read(bytes).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'invalid_request', param: 'file', message: expect.stringMatching(message) });
    expect(String(failure)).not.toContain(folder);
  });

  it('a matrix', async () => {
    writeSparseSafetensors(path, { 'blocks.3.hook_resid_post': { dtype: 'F32', shape: [2, 3], values: new Map() } });
    await expect(readVectorFile(path)).rejects.toThrow(/\[2, 3\]/);
  });
});

function withNaN(): Buffer {
  return controlVectorFile(
    [{ name: 'it', hookPoint: 'blocks.1.hook_resid_post', values: Float32Array.of(1, Number.NaN) }],
    'm',
  );
}
