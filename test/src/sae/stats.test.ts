import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examplesOf, openStore, rememberedSources, statisticsOf } from '../../../sae-registry/index.ts';
import { loadConfig } from '../../../src/config.ts';
import { openModel } from '../../../src/open-model.ts';
import { textSequences } from '../../../src/reading-texts.ts';
import { temporaryCache } from '../../harness/kernels.ts';
import { runPrompt } from '../../harness/run-prompt.ts';
import { writeSparseSafetensors } from '../../harness/write-safetensors.ts';
import { cli } from '../cli-harness.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-stats-'));
const model = join(temporary, 'tiny-model');
cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), model, { recursive: true });
const dataDir = join(temporary, 'data');
const cacheDir = await temporaryCache('tiller-stats-cache-');
const folder = join(temporary, 'mine');
const hookPoint = 'blocks.1.hook_resid_post';
afterAll(() => rmSync(temporary, { recursive: true }));
beforeAll(() => {
  mkdirSync(folder);
  writeSparseSafetensors(join(folder, 'sae_weights.safetensors'), {
    // feature j reads input j
    W_enc: { dtype: 'F32', shape: [64, 8], values: new Map([0, 1, 2, 3].map((j) => [j * 8 + j, 1])) },
    W_dec: { dtype: 'F32', shape: [8, 64], values: new Map([[5, 1]]) },
    b_enc: { dtype: 'F32', shape: [8] },
    b_dec: { dtype: 'F32', shape: [64] },
  });
  const cfg = { architecture: 'standard', d_in: 64, d_sae: 8, model_name: 'tiny-model', hook_name: hookPoint };
  writeFileSync(join(folder, 'cfg.json'), JSON.stringify(cfg));
});

const place = ['--model', model, '--cache-dir', cacheDir, '--data-dir', dataDir, '--source', folder];
const lines = [
  'One text about nothing at all.',
  'Another, which is longer than the first one and is cut in two by it.',
  'a b c',
];
const texts = join(temporary, 'texts.jsonl');
writeFileSync(texts, lines.map((text) => `${JSON.stringify({ text })}\n`).join(''));
const plain = join(temporary, 'texts.txt');
writeFileSync(plain, lines.join('\n\n'));

async function stored() {
  const store = await openStore(join(dataDir, 'tiller.db'));
  const source = store.connection
    .prepare<unknown[], { id: number }>("select id from sources where name = 'mine'")
    .get();
  const key = source?.id ?? -1;
  const found = Array.from({ length: 8 }, (_, j) => ({
    ...statisticsOf(store, key, j),
    examples: examplesOf(store, key, j),
  }));
  expect(rememberedSources(store)).toEqual([]);
  store.close();
  return found;
}

/** The same from the stream itself. */
async function expected(path: string, tokens: number) {
  const config = loadConfig(
    { model: [model], source: [folder], cacheDir, operators: 'onnxruntime', warmUp: 'none' },
    {},
  );
  const ready = await openModel(config);
  const values: number[][] = Array.from({ length: 8 }, () => []);
  let counted = 0;
  for await (const ids of textSequences(ready.model, { path, tokens })) {
    const { taps } = await runPrompt(ready.model.executor, [...ids], { taps: [hookPoint] });
    const stream = taps.get(hookPoint) ?? new Float32Array();
    for (let t = 1; t < ids.length; t++) {
      counted++;
      for (let j = 0; j < 4; j++) {
        const x = stream[t * 64 + j] as number;
        if (x > 0) values[j]?.push(x);
      }
    }
  }
  await ready.close();
  return { values, counted };
}

describe('tiller sae stats', () => {
  it.each([
    ['JSON lines', texts],
    ['plain text', plain],
  ])('keeps what features do on %s', async (_, path) => {
    const run = await cli(['sae', 'stats', 'mine', '--texts', path, '--sequence-tokens', '16', '--json', ...place]);
    expect(run).toMatchObject({ code: 0 });
    const { values, counted } = await expected(path, 16);
    const outcome = JSON.parse(run.stdout);
    expect(outcome).toMatchObject({ source: 'tiny-model/mine', tokens: counted, resumed: 0, truncated: 0 });
    for (const [j, figures] of (await stored()).entries()) {
      const own = values[j] ?? [];
      expect(figures.density).toBeCloseTo(own.length / counted, 9);
      expect(figures.max).toBeCloseTo(Math.max(0, ...own), 4);
      expect(figures.version).toBe(outcome.version);
      if (own.length > 0) {
        expect(figures.mean).toBeCloseTo(own.reduce((sum, x) => sum + x, 0) / own.length, 4);
        expect(figures.examples[0]?.peak).toBeCloseTo(figures.max ?? 0, 6);
      }
    }
  });

  it('reads what the model answers', async () => {
    const more = ['--prompts', texts, '--answer-tokens', '5', ...place];
    const once = await cli(['sae', 'stats', 'mine', ...more]);
    expect(once).toMatchObject({ code: 0, stdout: expect.stringMatching(/of 3 texts; 4 features silent/) });
    expect((await cli(['sae', 'stats', 'mine', ...more])).stdout).toBe(once.stdout);
  });

  it.each([
    [['other', '--texts', texts], /no source 'other'/],
    [['mine', '--texts', join(temporary, 'none.txt')], /ENOENT|no such file/],
    [['mine', '--texts', folder], /directory|EISDIR/],
  ])('refuses %j', async (what, message) => {
    expect(await cli(['sae', 'stats', ...what, ...place])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(message),
    });
  });

  it('refuses a line that is no text, by its number', async () => {
    const path = join(temporary, 'bad.jsonl');
    writeFileSync(path, '{"text":"fine words here"}\n{"txt":"a"}\n');
    expect(await cli(['sae', 'stats', 'mine', '--texts', path, ...place])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/line 2/),
    });
  });

  it('compares dictionaries by what fires where', async () => {
    const turned = join(temporary, 'turned');
    mkdirSync(turned);
    writeSparseSafetensors(join(turned, 'sae_weights.safetensors'), {
      // feature 6 − j reads input j, twice as strongly
      W_enc: { dtype: 'F32', shape: [64, 8], values: new Map([0, 1, 2, 3].map((j) => [j * 8 + 6 - j, 2])) },
      W_dec: { dtype: 'F32', shape: [8, 64], values: new Map([[9, 1]]) },
      b_enc: { dtype: 'F32', shape: [8] },
      b_dec: { dtype: 'F32', shape: [64] },
    });
    const cfg = { architecture: 'standard', d_in: 64, d_sae: 8, model_name: 'tiny-model', hook_name: hookPoint };
    writeFileSync(join(turned, 'cfg.json'), JSON.stringify(cfg));
    const where = ['--model', model, '--cache-dir', cacheDir, '--data-dir', dataDir];
    const how = ['sae', 'compare', folder, turned, '--by', 'activation', '--texts', texts, ...where];
    const found = JSON.parse((await cli([...how, '--json'])).stdout);
    expect(found).toMatchObject({ by: 'activation', featuresOfA: 8, featuresOfB: 8 });
    expect(found.comparedOfA).toBeGreaterThan(1);
    expect(found.comparedOfB).toBe(found.comparedOfA);
    expect(found.stability).toBeCloseTo(1, 4);
    for (const { a, b } of found.pairs) expect(a + b).toBe(6);
    const table = await cli(how);
    expect(table.stdout).toMatch(
      /8 features, of which \d fire often enough[\s\S]*mean correlation of the optimal matching/,
    );
    expect(await cli(['sae', 'compare', folder, turned, '--by', 'sound', ...where])).toMatchObject({ code: 2 });
    const unread = await cli([...how, '--texts', join(temporary, 'none')]);
    expect(unread).toMatchObject({ code: 1, stderr: expect.stringMatching(/none/) });
  });
});
