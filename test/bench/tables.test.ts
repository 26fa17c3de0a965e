import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../bench/checkout.ts';
import { decodeResults, readResults, startupResults } from '../../bench/results.ts';
import { renderTables, replaceTables } from '../../bench/tables.ts';
import { decodeFixture, demoFixture, startupFixture } from './fixture-results.ts';

const results = { decode: decodeFixture, startup: startupFixture, demo: demoFixture };
const tables = renderTables(results);
const blank = [...tables.keys()]
  .map((name) => `text\n<!-- bench:${name}:start -->\nold\n<!-- bench:${name}:end -->\nmore`)
  .join('\n');

describe('tables of the benchmarks', () => {
  it('are made from results that the schemas accept', () => {
    expect(decodeResults.parse(decodeFixture)).toEqual(decodeFixture);
    expect(startupResults.parse(startupFixture)).toEqual(startupFixture);
    expect(() => decodeResults.parse({ ...decodeFixture, otherLoad: undefined })).toThrow();
  });

  it('quote medians, and ratios taken within rounds', () => {
    expect(tables.get('decode')).toContain('| Tiller f32 | 1 | 25.0 | 1.25 |');
    expect(tables.get('decode')).toContain('| Tiller f32, model alone | 1 | 30.0 | 1.50 |');
    expect(tables.get('decode')).toContain('A processor, 2 cores, Node 20.0.0, ONNX Runtime 1.30.0');
    expect(tables.get('prefill')).toContain('| Tiller f32 | 128 | 1000 | 2.00 |');
    expect(tables.get('steering')).toContain('| 1 | 8 | 45.0 | 0.90 |');
    expect(tables.get('startup')).toContain('| first token, asked once ready | 2.50 |');
    expect(tables.get('memory')).toContain('| **resident** | 140 | 200 |');
    expect(tables.get('memory')).toContain('| 1.40 | 1.60 |');
  });

  it('show every text of the demonstration, in one cell each', () => {
    expect(tables.get('demo')).toContain('| unsteered | Hi \\| there |');
    expect(tables.get('demo')).toContain('| 7 “pirates”, 2 | Ahoy ⏎ there |');
  });

  it('say so where a platform does not tell what memory is made of', () => {
    const unknown = startupFixture.memory.busy.map((entry) => ({ ...entry, peak: null, parts: null }));
    const memory = { loaded: unknown, busy: unknown };
    const table = renderTables({ ...results, startup: { ...startupFixture, memory } }).get('memory');
    expect(table).toContain('| packed weights | not known | not known |');
    expect(table).toContain('| **resident** | 200 | 200 |');
  });
});

describe('replacing tables', () => {
  const filled = replaceTables(blank, tables);

  it('puts every table between its markers and leaves the rest alone', () => {
    for (const table of tables.values()) expect(filled).toContain(`start -->\n${table}\n<!-- bench:`);
    expect(filled).not.toContain('old');
    expect(filled.match(/text/g)).toHaveLength(tables.size);
    expect(replaceTables(filled, tables)).toBe(filled);
  });

  it('changes the text where a figure has changed', () => {
    const faster = decodeFixture.decode.map((entry) => ({ ...entry, tokensPerSecond: [99, 99, 99] }));
    const changed = renderTables({ ...results, decode: { ...decodeFixture, decode: faster } });
    expect(replaceTables(filled, changed)).not.toBe(filled);
  });

  it.each([
    ['a missing start', blank.replace('<!-- bench:decode:start -->', '')],
    ['a missing end', blank.replace('<!-- bench:memory:end -->', '')],
    ['markers that stand twice', blank + blank],
    ['no markers at all', 'A text.'],
    ['an unknown table', `${blank}\n<!-- bench:other:start -->`],
  ])('refuses %s', (_what, text) => {
    expect(() => replaceTables(text, tables)).toThrow(/markers|needs the lines|no table/);
  });
});

describe('README.md', () => {
  it('shows the figures of bench/results (npm run bench:report writes them)', () => {
    const text = readFileSync(join(checkout, 'README.md'), 'utf8');
    expect(text).toBe(replaceTables(text, renderTables(readResults())));
  });
});
