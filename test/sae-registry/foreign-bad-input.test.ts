import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openNpz } from '../../sae-registry/arrays/npz-arrays.ts';
import { readArray } from '../../sae-registry/arrays/stored-array.ts';
import { loadDictionary } from '../../sae-registry/index.ts';
import { saeFixtures } from '../harness/dictionaries.ts';
import { writeZip } from '../harness/write-zip.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-foreign-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A copy of a fixture under a folder of the same name, so that what folders say stays. */
function copy(path: string): string {
  const into = join(folder, `${count++}`, path);
  cpSync(join(saeFixtures, path), into, { recursive: true });
  return into;
}
function withConfig(path: string, name: string, change: (config: Record<string, unknown>) => unknown): string {
  const into = copy(path);
  const file = join(into, name);
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))));
  return into;
}
const trainer = (changes: object) => (config: Record<string, unknown>) => ({
  trainer: { ...(config.trainer as object), ...changes },
});
const changed = (changes: object) => (config: Record<string, unknown>) => ({ ...config, ...changes });

const refusal = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe('a configuration that contradicts the weights, or asks for what is not run', () => {
  const gemma2 = 'gemma-scope-2/gemma-scope-2-1b-it/transcoder_all/layer_9_width_16k_l0_small';
  const llama = 'llama-scope/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L15R-8x';
  it.each([
    ['sparsify/layers.1', 'cfg.json', changed({ d_in: 8 }), 'source_invalid', /cfg\.json makes it \[8\]/],
    ['sparsify/layers.1', 'cfg.json', changed({ k: 99 }), 'source_invalid', /k 99, which does not fit 32/],
    ['sparsify/layers.3', 'cfg.json', changed({ k: 7 }), 'source_invalid', /groupmax with k 7/],
    ['sparsify/layers.1', 'cfg.json', changed({ activation: 'relu' }), 'source_unsupported', /activation 'relu'/],
    ['sparsify/layers.1.mlp', 'cfg.json', changed({ skip_connection: false }), 'source_invalid', /W_skip/],
    ['sparsify/layers.1', 'cfg.json', () => ({}), 'source_invalid', /malformed/],
    [
      'dictionary-learning/relu',
      'config.json',
      trainer({ dict_size: 31 }),
      'source_invalid',
      /config\.json makes it \[16, 31\]/,
    ],
    [
      'dictionary-learning/relu',
      'config.json',
      trainer({ dict_class: 'GatedAutoEncoder' }),
      'source_invalid',
      /'decoder_bias'/,
    ],
    [
      'dictionary-learning/relu',
      'config.json',
      trainer({ dict_class: 'CrossCoder' }),
      'source_unsupported',
      /class 'CrossCoder'/,
    ],
    [
      'dictionary-learning/relu',
      'config.json',
      trainer({ dict_class: 'toString' }),
      'source_unsupported',
      /class 'toString'/,
    ],
    [llama, 'hyperparams.json', changed({ d_sae: 33 }), 'source_invalid', /hyperparams\.json makes it \[33, 16\]/],
    [llama, 'hyperparams.json', changed({ act_fn: 'topk' }), 'source_unsupported', /act_fn 'topk'/],
    [
      llama,
      'hyperparams.json',
      changed({ hook_point_out: 'blocks.15.hook_mlp_out' }),
      'source_unsupported',
      /transcoder/,
    ],
    [llama, 'hyperparams.json', changed({ norm_activation: 'token-wise' }), 'source_unsupported', /token-wise/],
    [gemma2, 'config.json', changed({ architecture: 'topk' }), 'source_unsupported', /architecture 'topk'/],
    [gemma2, 'config.json', changed({ affine_connection: true }), 'source_invalid', /no affine_skip_connection/],
  ] as const)('%s, %s', async (path, name, change, code, message) => {
    await expect(loadDictionary(withConfig(path, name, change))).rejects.toMatchObject(refusal(code, message));
  });

  it('of a set: YAML that is none, an activation that is none', async () => {
    const path = copy('transcoder-sets/qwen3-tiny-transcoders');
    writeFileSync(join(path, 'config.yaml'), 'model_name: [');
    await expect(loadDictionary(path)).rejects.toMatchObject(refusal('source_invalid', /not YAML/));
    writeFileSync(join(path, 'config.yaml'), 'activation: gelu');
    await expect(loadDictionary(path)).rejects.toMatchObject(refusal('source_unsupported', /'gelu'/));
    writeFileSync(join(path, 'config.yaml'), 'activation: topk\nk: 99');
    await expect(loadDictionary(path)).rejects.toMatchObject(refusal('source_invalid', /k 99 of 32/));
  });

  it('of Qwen Scope: a folder that does not say k', async () => {
    const file = join(folder, 'layer3.sae.pt');
    cpSync(join(saeFixtures, 'torch-files/SAE-Res-Qwen3-1.7B-Base-W32K-L0_5/layer3.sae.pt'), file);
    await expect(loadDictionary(file)).rejects.toMatchObject(refusal('source_invalid', /has no k/));
  });

  it('decoder norms that cannot be folded', async () => {
    for (const path of ['sparsify/layers.1', 'dictionary-learning/topk', 'saelens/topk']) {
      const loaded = loadDictionary(join(saeFixtures, path), { foldDecoderNorms: true });
      await expect(loaded).rejects.toMatchObject(refusal('source_unsupported', /changes what it selects/));
    }
  });
});

describe('files that are damaged', () => {
  const residual = 'gemma-scope/gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82';
  it.each([
    [residual, 'params.npz'],
    ['dictionary-learning/relu', 'ae.pt'],
    ['sparsify/layers.1', 'sae.safetensors'],
    ['torch-files/Llama-3.1-8B-Instruct-SAE-l19', 'Llama-3.1-8B-Instruct-SAE-l19.pth'],
  ])('%s, cut short', async (path, name) => {
    for (const left of [1500, 3]) {
      const into = copy(path);
      truncateSync(join(into, name), left);
      await expect(loadDictionary(into)).rejects.toMatchObject({
        code: expect.stringMatching(/^source_(invalid|unsupported)$/),
      });
    }
  });

  /** numpy's format: magic, version 1.0, the header's length, the header. */
  const npy = (descr: string, shape: string, data: Uint8Array, order = 'False') => {
    const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
    const length = Buffer.alloc(2);
    length.writeUInt16LE(header.length);
    return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), data]);
  };
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const small = (changes: Record<string, Buffer> = {}) => {
    const path = join(folder, `${count++}`, 'params.npz');
    cpSync(join(saeFixtures, residual), join(path, '..'), { recursive: true });
    writeZip(path, {
      'W_enc.npy': npy('<f4', '(1, 2)', floats(1, 2)),
      'W_dec.npy': npy('<f4', '(2, 1)', floats(1, 2)),
      'b_enc.npy': npy('<f4', '(2,)', floats(0, 0)),
      'b_dec.npy': npy('<f4', '(1,)', floats(0)),
      'threshold.npy': npy('<f4', '(2,)', floats(1, Number.POSITIVE_INFINITY)),
      ...changes,
    });
    return path;
  };

  it('but a threshold of infinity is a feature that never fires', async () => {
    const dictionary = await loadDictionary(small());
    expect(dictionary.encode(Float32Array.of(5, 0.5))).toEqual(Float32Array.of(5, 0, 0, 0));
  });

  it.each([
    [
      'W_enc.npy',
      npy('<f4', '(1, 2)', floats(1, Number.NaN)),
      'source_invalid',
      /W_enc has a value that is not finite, in the row of feature 1/,
    ],
    [
      'b_dec.npy',
      npy('<f4', '(1,)', floats(Number.POSITIVE_INFINITY)),
      'source_invalid',
      /b_dec has a value that is not finite/,
    ],
    ['threshold.npy', npy('<f4', '(2,)', floats(1, Number.NaN)), 'source_invalid', /threshold has a value/],
    [
      'W_dec.npy',
      npy('<f4', '(1, 2)', floats(1, 2)),
      'source_invalid',
      /W_dec is \[1, 2\], but W_enc makes it \[2, 1\]/,
    ],
    ['b_enc.npy', npy('<f4', '(3,)', floats(1, 2, 3)), 'source_invalid', /b_enc is \[3\], but W_enc makes it \[2\]/],
    ['b_enc.npy', npy('<f4', '(2,)', floats(1)), 'source_invalid', /b_enc of \[2\] does not fit/],
    ['b_enc.npy', npy('|O', '(2,)', Buffer.from('\x80\x02cos\nsystem\n(X')), 'source_unsupported', /element type \|O/],
    ['b_enc.npy', Buffer.from('no numpy array at all'), 'source_invalid', /no numpy array/],
    ['b_enc.npy', npy('<f4', 'print(1)', floats(1, 2)), 'source_invalid', /malformed header/],
  ])('%s of an archive of numpy', async (name, bytes, code, message) => {
    await expect(loadDictionary(small({ [name]: bytes }))).rejects.toMatchObject(refusal(code, message));
  });

  it('nor are other number types misread', async () => {
    const path = join(folder, 'types.npz');
    writeZip(path, {
      'half.npy': npy('<f2', '(2,)', Buffer.of(0, 0x3c, 0, 0xc0)),
      'double.npy': npy('<f8', '(1,)', new Uint8Array(Float64Array.of(-2.5).buffer)),
      'long.npy': npy('<i8', '()', new Uint8Array(BigInt64Array.of(-7n).buffer)),
      'fortran.npy': npy('<f4', '(2, 3)', floats(1, 2, 3, 4, 5, 6), 'True'),
    });
    const { arrays } = await openNpz(path);
    const values = Object.fromEntries(Array.from(arrays, ([name, array]) => [name, [...readArray(array)]]));
    expect(values).toEqual({ half: [1, -2], double: [-2.5], long: [-7], fortran: [1, 3, 5, 2, 4, 6] });
  });
});

describe('a place with nothing to load', () => {
  it.each(['nothing-here', 'empty'])('%s', async (name) => {
    mkdirSync(join(folder, 'empty'), { recursive: true });
    const loaded = loadDictionary(join(folder, name));
    await expect(loaded).rejects.toMatchObject(
      refusal('source_invalid', /neither a folder nor a file|no dictionary of a known format/),
    );
  });
});
