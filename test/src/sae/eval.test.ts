import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryCache } from '../../harness/kernels.ts';
import { writeSparseSafetensors } from '../../harness/write-safetensors.ts';
import { cli } from '../cli-harness.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-eval-'));
const model = join(temporary, 'tiny-model');
cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), model, { recursive: true });
const cacheDir = await temporaryCache('tiller-eval-cache-');
afterAll(() => rmSync(temporary, { recursive: true }));
const width = 64;
const features = 2 * width + 1;

/** Features that read x_i and −x_i, and one that never fires; what they write is `factor` times what they read. */
function write(name: string, factor: number): string {
  const path = join(temporary, name);
  mkdirSync(path);
  const each = Array.from({ length: width }, (_, i) => i);
  writeSparseSafetensors(join(path, 'sae_weights.safetensors'), {
    W_enc: {
      dtype: 'F32',
      shape: [width, features],
      values: new Map(
        each.flatMap(
          (i) =>
            [
              [i * features + i, 1],
              [i * features + width + i, -1],
            ] as [number, number][],
        ),
      ),
    },
    W_dec: {
      dtype: 'F32',
      shape: [features, width],
      values: new Map(
        each.flatMap(
          (i) =>
            [
              [i * width + i, factor],
              [(width + i) * width + i, -factor],
            ] as [number, number][],
        ),
      ),
    },
    b_enc: { dtype: 'F32', shape: [features] },
    b_dec: { dtype: 'F32', shape: [width] },
  });
  const cfg = {
    architecture: 'standard',
    d_in: width,
    d_sae: features,
    model_name: 'tiny-model',
    hook_name: 'blocks.1.hook_resid_post',
  };
  writeFileSync(join(path, 'cfg.json'), JSON.stringify(cfg));
  return path;
}
const sources = [write('whole', 1), write('nothing', 0)].flatMap((path) => ['--source', path]);
const texts = join(temporary, 'texts.txt');
writeFileSync(texts, 'Some words that the tiny model reads, whatever they mean to it. '.repeat(12));

async function evaluate(name: string) {
  const place = ['--model', model, '--cache-dir', cacheDir, '--data-dir', join(temporary, 'data')];
  const run = await cli([
    'sae',
    'eval',
    name,
    '--texts',
    texts,
    '--sequence-tokens',
    '32',
    '--json',
    ...place,
    ...sources,
  ]);
  expect(run).toMatchObject({ code: 0 });
  return JSON.parse(run.stdout);
}

describe('tiller sae eval', () => {
  it('finds nothing missing where the reconstruction is the stream itself', async () => {
    const health = await evaluate('whole');
    expect(health).toMatchObject({ source: 'tiny-model/whole', features });
    expect(health.explainedVariance).toBeCloseTo(1, 6);
    expect(health.lossRecovered).toBeCloseTo(1, 3);
    expect(health.loss.spliced).toBeCloseTo(health.loss.plain, 4);
    expect(health.l0).toBeCloseTo(width, 0);
    expect(health.silentFeatures).toBeGreaterThanOrEqual(1);
  });

  it('finds all missing where it is nothing', async () => {
    const health = await evaluate('nothing');
    expect(health.explainedVariance).toBeLessThan(0.01);
    expect(health.loss.spliced).toBeCloseTo(health.loss.zeroed, 6);
    expect(health.lossRecovered).toBeCloseTo(0, 5);
    expect(Math.abs(health.loss.zeroed - health.loss.plain)).toBeGreaterThan(1e-3);
  });
});
