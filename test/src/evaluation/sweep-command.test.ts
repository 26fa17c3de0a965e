import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addVector, openStore } from '../../../sae-registry/index.ts';
import type { SweepAnswer } from '../../../src/evaluation/sweep-command.ts';
import { tinyDirection, tinyModel, writeTinySource } from '../../harness/tiny-service.ts';
import { cli } from '../cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-sweep-cli-'));
const model = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const place = ['--model', model, '--cache-dir', folder, '--data-dir', folder, '--threads', '1'];
// nothing is compiled for this
const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
const sweep = (...words: string[]) => cli(['sweep', ...words, ...place], { environment, columns: 120 });
const little = ['--prompt', 'one text', '--prompt', 'another', '--max-tokens', '4'];

beforeAll(async () => {
  const store = await openStore(join(folder, 'tiller.db'));
  const directions = [{ hookPoint: 'blocks.1.hook_resid_post', values: tinyDirection(3) }];
  const about = { name: 'push', description: '', method: 'uploaded', origin: 'test' } as const;
  addVector(store, { ...about, model: tinyModel, directions });
  store.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller sweep', () => {
  it('shows what each dose did and every text, cut to the terminal', async () => {
    const scores = ['--words', 'a, the', '--probe', 'push'];
    const shown = await sweep('--vector', 'push', '--unit', 'raw', '--strengths', '1,30', ...scores, ...little);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toContain(`${tinyModel}: 12 texts\n\nprompt 0: one text\nprompt 1: another\n\n`);
    expect(shown.stdout).toMatch(/^steering +strength +perplexity ratio +fluent +change of words +change of push$/m);
    expect(shown.stdout.match(/^push +(1|30) +\S+ +(yes|no) /gm)).toHaveLength(2);
    expect(shown.stdout.match(/^unsteered +[01] +[01] /gm)).toHaveLength(4);
    expect(shown.stdout.match(/^push +(1|30) +[01] +[01] /gm)).toHaveLength(8);
    expect(Math.max(...shown.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  it('takes features and steerings of several edits, and gives JSON', async () => {
    const edit = { vector: 'push', mode: 'add', strength: 2, unit: 'raw' };
    const path = join(folder, 'steerings.json');
    writeFileSync(path, JSON.stringify([{ name: 'twice', edits: [edit, edit] }]));
    const source = ['--source', writeTinySource(folder, 2)];
    const more = ['--feature', 'tiny/1', '--steerings', path, '--strengths', '1', '--unit', 'raw', '--seeds', '7'];
    const told = await sweep(...source, ...more, ...little, '--json');
    const { rows, steerings } = JSON.parse(told.stdout) as SweepAnswer & { readonly steerings: unknown };
    expect(rows.map(({ name, seed }) => [name, seed])).toEqual(
      [null, 'tiny/1', 'twice'].flatMap((name) => [
        [name, 7],
        [name, 7],
      ]),
    );
    expect(rows.at(-1)?.edits).toHaveLength(2);
    expect(steerings).toMatchObject([{ name: 'tiny/1' }, { name: 'twice', doses: [{ strength: 1 }] }]);
  });

  it.each([
    [['--strengths', '1'], 'Nothing to sweep over'],
    [['--feature', 'a/1', '--vector', 'push'], 'Give --strengths'],
    [['--vector', 'push', '--unit', 'raw'], 'Give --strengths'],
    [['--vector', 'push', '--strengths', '1,x'], 'numbers with commas'],
    [['--vector', 'push', '--seeds', '1.5'], 'whole numbers'],
    [['--steerings', '/nowhere.json', '--strengths', '1'], 'cannot be read'],
  ])('refuses %j before anything is loaded', async (words, message) => {
    expect(await sweep(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  it('says what the route refuses', async () => {
    const missing = await sweep('--vector', 'pus', '--strengths', '1', ...little);
    expect(missing).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining("'pus'") });
  });
});
