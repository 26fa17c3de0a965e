import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../sae-registry/index.ts';
import { addWordLabels, wordSource } from '../../sae-registry/labelling/word-source.ts';
import { cli } from '../cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-labels-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));
const compare = (...flags: string[]) => cli(['labels', 'compare', 'res', '--data-dir', folder, ...flags]);
const sets = ['--first-author', 'right', '--second-author', 'also-right'];

beforeAll(async () => {
  const store = await openStore(join(folder, 'tiller.db'));
  const source = wordSource(store, 6, 1);
  addWordLabels(store, source, 0, 'right');
  addWordLabels(store, source, 0, 'also-right');
  store.connection.exec("update labels set text = 'a word' where author = 'also-right' and feature = 4");
  store.close();
});

describe('tiller labels compare', () => {
  it('tells how alike two sets are, beside chance, and where they differ most', async () => {
    const { code, stdout } = await compare(...sets, '--least', '1');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '6 features have labels in both sets, 0 in the first alone, 0 in the second alone.',
        'Similarity (shared words: not every label has an embedding yet): mean 0.833, median 1.000; labels of different features: mean 0.000.',
        'Least alike:',
        '      4  0.000  word4',
        '                a word',
        '',
      ].join('\n'),
    );
  });

  it('gives JSON', async () => {
    const { stdout } = await compare(...sets, '--json', '--least', '0');
    expect(JSON.parse(stdout)).toMatchObject({ measure: 'words', features: 6, chance: 0, least: [] });
  });

  it.each([
    [['--first-author', 'right', '--second-author', 'right'], 2, /are the same\. See tiller labels compare --help/],
    [[], 2, /Say which labels to compare/],
    [['--first-author', 'nobody'], 1, /first set \(author nobody\) has no labels\. There are: 6 of method imported/],
  ])('refuses %j', async (flags, code, said) => {
    const run = await compare(...flags);
    expect([run.code, run.stderr]).toEqual([code, expect.stringMatching(said)]);
  });
});
