import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../../engine/checkpoint/gguf-header.ts';
import { LocalFile } from '../../../engine/checkpoint/local-file.ts';
import { controlVectorFile } from '../../../sae-registry/index.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-control-vector-'));
afterAll(() => rmSync(temporary, { recursive: true }));

const added = (hookPoint: string, ...values: number[]) => ({
  name: 'it',
  hookPoint,
  values: Float32Array.from(values),
});

async function read(bytes: Buffer) {
  const path = join(temporary, 'vector.gguf');
  writeFileSync(path, bytes);
  const file = await LocalFile.open(path);
  try {
    const { metadata, entries } = await readGgufHeader(file);
    const tensors = await Promise.all(
      entries.map(async ({ name, shape, type, offset, byteLength }) => {
        const data = Buffer.alloc(byteLength);
        await file.read(offset, data);
        expect(offset % 32).toBe(0);
        return { name, shape, type, values: Array.from({ length: byteLength / 4 }, (_, i) => data.readFloatLE(i * 4)) };
      }),
    );
    return { metadata: Object.fromEntries(metadata), tensors };
  } finally {
    await file.close();
  }
}

describe('a control vector', () => {
  it('has a direction for each layer, counted as llama.cpp does, and what is at one place summed', async () => {
    const bytes = controlVectorFile(
      [
        added('blocks.17.hook_resid_post', 1, 2, 3),
        added('blocks.3.hook_resid_pre', 0.5, -0.5, 0.25),
        added('blocks.18.hook_resid_pre', 1, 0, -1),
      ],
      'llama',
    );
    expect(await read(bytes)).toEqual({
      metadata: {
        'general.architecture': 'controlvector',
        'controlvector.model_hint': 'llama',
        'controlvector.layer_count': 2,
      },
      tensors: [
        { name: 'direction.2', shape: [3], type: 'F32', values: [0.5, -0.5, 0.25] },
        { name: 'direction.17', shape: [3], type: 'F32', values: [2, 2, 2] },
      ],
    });
  });

  it("is byte for byte what llama.cpp's own package writes", () => {
    const written = readFileSync(join(import.meta.dirname, '../../fixtures/control-vector/vector.gguf'));
    const directions = [
      added('blocks.2.hook_resid_post', 0.5, -0.5, 0.25),
      added('blocks.17.hook_resid_post', 2, 2, 2),
    ];
    expect(controlVectorFile(directions, 'llama').equals(written)).toBe(true);
  });

  it.each([
    'blocks.0.hook_resid_post',
    'blocks.0.hook_resid_pre',
    'hook_embed',
    'blocks.3.hook_resid_mid',
    'blocks.3.hook_mlp_out',
  ])('does not reach %s', (hookPoint) => {
    expect(() => controlVectorFile([added(hookPoint, 1)], 'm')).toThrow(/it is at .*from blocks.1.hook_resid_post on/);
  });

  it('is of one width', () => {
    const other = [added('blocks.3.hook_resid_post', 1), added('blocks.4.hook_resid_post', 1, 2)];
    expect(() => controlVectorFile(other, 'm')).toThrow(/2 wide/);
  });
});
