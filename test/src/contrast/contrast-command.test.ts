import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openStore } from '../../../sae-registry/index.ts';
import { listVectors } from '../../../sae-registry/store/vectors.ts';
import { bundledDataSets, readDataSet } from '../../../src/contrast/data-set.ts';
import { temporaryCache } from '../../harness/kernels.ts';
import { cli } from '../cli-harness.ts';

const temporary = mkdtempSync(join(tmpdir(), 'tiller-contrast-'));
const model = join(temporary, 'tiny-model');
cpSync(join(import.meta.dirname, '../../fixtures/tiny-llama/f32'), model, { recursive: true });
afterAll(() => rmSync(temporary, { recursive: true }));

const cacheDir = await temporaryCache('tiller-contrast-cache-');
const place = ['--model', model, '--cache-dir', cacheDir, '--data-dir', join(temporary, 'data')];
function file(name: string, lines: readonly unknown[]): string {
  const path = join(temporary, name);
  writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  return path;
}
const words = ['sun', 'rain', 'tree', 'sea', 'bird', 'road', 'house', 'night'];
const pairs = words.map((word, at) => ({
  positive: `The ${word} is 12345`,
  negative: `The ${word} is abcde`,
  topic: `t${at % 4}`,
}));

describe('tiller contrast', () => {
  it('finds a vector between two kinds of texts, names the best hook point and saves it', async () => {
    const hooks = ['--hook-point', 'blocks.0.hook_resid_post', '--hook-point', 'blocks.1.hook_resid_post'];
    const run = await cli([
      'contrast',
      file('pairs.jsonl', pairs),
      ...place,
      ...hooks,
      '--at',
      'last',
      '--save',
      'digits',
      '--json',
      '--folds',
      '4',
    ]);
    expect(run.stderr).not.toContain('tiller:');
    const figures = z.object({ auroc: z.number() });
    const answer = z
      .object({
        items: z.object({ positive: z.int(), topics: z.int() }),
        vector: z.object({
          hook_point: z.string(),
          data: z.string(),
          norm: z.number(),
          held_out: figures,
          held_out_with_choice: figures,
        }),
        hook_points: z.array(z.object({ hook_point: z.string(), held_out: figures, effect_size: z.number() })),
        bag_of_words: figures,
      })
      .parse(JSON.parse(run.stdout));
    expect(answer.items).toEqual({ positive: 8, topics: 4 });
    expect(answer.hook_points).toHaveLength(2);
    expect(answer.vector.held_out.auroc).toBe(1);
    const best = answer.hook_points.toSorted((a, b) => b.effect_size - a.effect_size)[0];
    expect(answer.vector.hook_point).toBe(best.hook_point);
    const values = new Float32Array(Uint8Array.from(Buffer.from(answer.vector.data, 'base64')).buffer);
    expect(Math.hypot(...values)).toBeCloseTo(answer.vector.norm, 3);
    const store = await openStore(join(temporary, 'data', 'tiller.db'));
    const [saved] = listVectors(store, null);
    store.close();
    expect(saved).toMatchObject({
      name: 'digits',
      version: 1,
      method: 'difference_of_means',
      hookPoints: [best.hook_point],
    });
  });

  it('takes classes of unequal size, reads every token, and prints tables', async () => {
    const items = words.flatMap((word, at) => [
      { class: 'positive', text: `A ${word} 12345` },
      ...(at < 5 ? [{ class: 'negative', text: `A ${word} abcde` }] : []),
    ]);
    const run = await cli([
      'contrast',
      file('classes.jsonl', items),
      ...place,
      '--at',
      'all',
      '--method',
      'logistic',
      '--folds',
      '3',
    ]);
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/items\s+8 and 5, \d+ tokens, 3 folds/);
    expect(run.stdout).toMatch(/held-out AUROC\s+[\d.]+ \([\d.]+ to [\d.]+\)/);
    expect(run.stdout).toContain('AUROC of words alone');
  });

  it.each([
    [
      'a text in both classes',
      [...pairs, { positive: 'Same text here', negative: 'Same text here', topic: 't1' }],
      [],
      "'pairs[8].negative' are the same text",
    ],
    ['one side only', words.map((word) => ({ class: 'positive', text: word })), [], 'negative class has 0 items'],
    [
      'a hook point that is not there',
      pairs,
      ['--hook-point', 'blocks.99.hook_resid_post'],
      'blocks.99.hook_resid_post',
    ],
    [
      'one that no edit can be made at',
      pairs,
      ['--hook-point', 'blocks.0.ln1.hook_scale'],
      'No vector can be added at',
    ],
    [
      'a text longer than the context',
      [...pairs, { positive: 'long '.repeat(5000), negative: 'short', topic: 't0' }],
      ['--context', '64'],
      'pairs[8].positive',
    ],
    [
      'paired methods without pairs',
      words.flatMap((text) => [
        { class: 'positive', text: `${text} 1` },
        { class: 'negative', text: `${text} a` },
      ]),
      ['--method', 'paired_pca'],
      "give 'pairs'",
    ],
    [
      'paired methods on every token',
      pairs,
      ['--method', 'paired_pca', '--at', 'all'],
      "positions 'mean', 'last' or 'answer'",
    ],
    ['a name that is none', pairs, ['--save', 'no name'], 'no name'],
    ['some topics', [...pairs, { positive: 'x y', negative: 'y x' }], [], 'Some items have a topic'],
  ])('refuses %s', async (name, lines, flags, message) => {
    const run = await cli(['contrast', file(`${name}.jsonl`, lines), ...place, ...flags]);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(message);
  });
});

describe('data sets', () => {
  it('that are bundled have 200 pairs or more, of ten topics, no text twice', async () => {
    expect(bundledDataSets()).toEqual(expect.arrayContaining(['cheerful-gloomy', 'formal-casual']));
    for (const name of bundledDataSets()) {
      const data = await readDataSet(name);
      const lines = z
        .array(z.object({ positive: z.string(), negative: z.string(), topic: z.string() }))
        .parse('pairs' in data ? data.pairs : []);
      expect(lines.length).toBeGreaterThanOrEqual(200);
      expect(new Set(lines.map(({ topic }) => topic)).size).toBe(10);
      expect(new Set(lines.flatMap(({ positive, negative }) => [positive, negative])).size).toBe(2 * lines.length);
    }
  });

  it.each([
    ['nowhere', 'no file and no bundled data set'],
    [file('bad.jsonl', [{ positive: 'a', negative: 'b' }, '{']), 'line 2'],
    [file('half.jsonl', [{ positive: 'a' }]), 'line 1'],
    [
      file('mixed.jsonl', [
        { positive: 'a', negative: 'b' },
        { class: 'positive', text: 'c' },
      ]),
      'not both',
    ],
    [file('empty.jsonl', []), 'has no line'],
  ])('refuse %s', async (path, message) => {
    await expect(readDataSet(path)).rejects.toThrow(message);
  });
});
