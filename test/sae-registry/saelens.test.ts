import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDictionary, loadDictionary, plainDictionary, residentVectors } from '../../sae-registry/index.ts';
import { base64Floats } from './base64-floats.ts';

const fixtures = join(import.meta.dirname, '../fixtures/tiny-sae');
const arrays = z.object({ features: z.string(), encoder: z.string(), decoder: z.string(), bias: z.string() });
const golden = z
  .object({ d_in: z.number(), d_sae: z.number(), stream: z.string(), cases: z.record(z.string(), arrays) })
  .parse(JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')));
const { d_in: width, d_sae: features } = golden;

function expectClose(actual: Float32Array, expected: Float32Array, tolerance = 2e-5): void {
  expect(actual.length).toBe(expected.length);
  const far = actual.findIndex((value, i) => !(Math.abs(value - (expected[i] as number)) <= tolerance));
  expect(far < 0 ? 'equal' : `${far}: ${actual[far]} for ${expected[far]}`).toBe('equal');
}

describe('a folder that SAELens wrote', () => {
  it('comes in eight kinds', () => expect(Object.keys(golden.cases)).toHaveLength(8));

  it.each(Object.entries(golden.cases))('%s encodes as SAELens does', async (name, expected) => {
    const dictionary = await loadDictionary(join(fixtures, name));
    const activations = dictionary.encode(base64Floats(golden.stream));
    expectClose(activations, base64Floats(expected.features));
    expect(activations.some((value) => value > 0) && activations.some((value) => value === 0)).toBe(true);
  });

  it.each(Object.entries(golden.cases))(
    '%s gives each feature its own rows, which read what encode reads',
    async (name, expected) => {
      const dictionary = await loadDictionary(join(fixtures, name));
      const [encoder, decoder, bias] = [expected.encoder, expected.decoder, expected.bias].map(base64Floats);
      const stream = base64Floats(golden.stream);
      const activations = dictionary.encode(stream);
      for (let index = 0; index < features; index++) {
        const feature = dictionary.feature(index);
        expectClose(
          feature.encoder,
          Float32Array.from({ length: width }, (_, i) => encoder?.[i * features + index] ?? 0),
          0,
        );
        expectClose(feature.decoder, decoder?.slice(index * width, (index + 1) * width) ?? new Float32Array(), 0);
        expect(feature.bias).toBeCloseTo(bias?.[index] ?? Number.NaN, 4);
        for (let t = 0; t < stream.length / width; t++) {
          const a = feature.encoder.reduce(
            (sum, value, i) => sum + value * (stream[t * width + i] as number),
            feature.bias,
          );
          const f = a > feature.threshold ? a : 0;
          expect(Math.abs(f - (activations[t * features + index] as number))).toBeLessThan(2e-5);
        }
      }
    },
  );

  it('would not pass with its encoder read in the other layout', () => {
    const expected = golden.cases['standard-v6'];
    if (!expected) throw new Error('no such case');
    const columns = base64Floats(expected.encoder);
    const rows = Float32Array.from(columns, (_, at) => columns[(at % width) * features + Math.floor(at / width)]);
    const weights = (encoder: Float32Array) => ({
      ...plainDictionary,
      hookPoint: null,
      hookPointOut: null,
      modelName: null,
      hash: '',
      encoder: residentVectors(encoder, features, width),
      decoder: residentVectors(base64Floats(expected.decoder), features, width),
      encoderBias: base64Floats(expected.bias),
      decoderBias: new Float32Array(width),
    });
    const stream = base64Floats(golden.stream);
    expectClose(createDictionary(weights(rows)).encode(stream), base64Floats(expected.features));
    const wrong = createDictionary(weights(columns)).encode(stream);
    expect(() => expectClose(wrong, base64Floats(expected.features))).toThrow();
  });

  it('is pinned by the hash of its files', async () => {
    const once = await loadDictionary(join(fixtures, 'standard-v6'));
    const again = await loadDictionary(join(fixtures, 'standard-v6'));
    const other = await loadDictionary(join(fixtures, 'standard-v6-b-dec'));
    expect(once.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(again.hash).toBe(once.hash);
    expect(other.hash).not.toBe(once.hash);
  });
});

describe('a folder that is refused', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'tiller-sae-'));
  afterAll(() => rmSync(temporary, { recursive: true }));
  let count = 0;
  const copy = (name = 'jumprelu-v6') => {
    const folder = join(temporary, `${count++}`);
    cpSync(join(fixtures, name), folder, { recursive: true });
    return folder;
  };
  const withConfig = (changes: Record<string, unknown>, name?: string) => {
    const folder = copy(name);
    const path = join(folder, 'cfg.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }));
    return folder;
  };

  it.each([
    [{ architecture: 'matching_pursuit' }, /matching_pursuit.*later version/],
    [{ architecture: 'temporal' }, /temporal/],
    [{ architecture: 'abstopk' }, /abstopk/],
    [{ activation_fn_str: 'topk' }, /topk/],
    [{ activation_fn: 'tanh-relu' }, /tanh-relu/],
    [{ normalize_activations: 'covariance_whitening' }, /covariance_whitening/],
    [{ normalize_activations: true }, /without its factor/],
    [{ reshape_activations: 'hook_q' }, /hook_q/],
    [{ metadata: { hook_name: 'blocks.1.attn.hook_q', hook_head_index: 2 } }, /one attention head/],
  ])('as unsupported: %j', async (changes, message) => {
    await expect(loadDictionary(withConfig(changes))).rejects.toMatchObject({
      code: 'source_unsupported',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [{ d_in: 32, d_sae: 16 }, /W_enc is \[16, 32\], but cfg.json makes it \[32, 16\]/],
    [{ d_sae: 33 }, /W_enc/],
    [{ d_out: 8 }, /no transcoder/],
    [{ architecture: 'topk', k: 4 }, /has thresholds/],
    [{ architecture: 'topk', k: 33 }, /at most d_sae/],
    [{ architecture: 'topk' }, /k missing/],
    [{ architecture: 'gated' }, /thresholds/],
    [{ architecture: 'skip_transcoder' }, /thresholds/],
    [{ architecture: 'jumprelu_skip_transcoder' }, /'W_skip'/],
    [{ reshape_activations: 'hook_z' }, /no heads/],
    [{ d_in: 1.5 }, /malformed/],
    [{ d_sae: -1 }, /malformed/],
    [{ d_sae: 1e300 }, /malformed/],
  ])('as invalid: %j', async (changes, message) => {
    await expect(loadDictionary(withConfig(changes))).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(message),
    });
  });

  it('where JumpReLU is claimed without thresholds', async () => {
    const folder = withConfig({ architecture: 'jumprelu' }, 'standard-v6');
    await expect(loadDictionary(folder)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/'threshold'/),
    });
  });

  it('where files are missing, truncated or no JSON', async () => {
    const truncated = copy();
    truncateSync(join(truncated, 'sae_weights.safetensors'), 4000);
    await expect(loadDictionary(truncated)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/truncated/i),
    });
    const garbled = copy();
    writeFileSync(join(garbled, 'cfg.json'), '{"d_in":');
    await expect(loadDictionary(garbled)).rejects.toMatchObject({ code: 'source_invalid' });
    const noWeights = copy();
    rmSync(join(noWeights, 'sae_weights.safetensors'));
    await expect(loadDictionary(noWeights)).rejects.toMatchObject({ code: 'source_invalid' });
    await expect(loadDictionary(temporary)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/known format \(SAELens/),
    });
  });

  it('where a weight is not a number', async () => {
    const folder = copy();
    const path = join(folder, 'sae_weights.safetensors');
    const bytes = readFileSync(path);
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    writeFileSync(path, bytes);
    await expect(loadDictionary(folder)).rejects.toMatchObject({
      code: 'source_invalid',
      message: expect.stringMatching(/not finite/),
    });
  });
});
