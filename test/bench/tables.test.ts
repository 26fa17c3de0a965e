import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../bench/checkout.ts';
import { enduranceResults } from '../../bench/endurance/results.ts';
import { engineResults } from '../../bench/engine/results.ts';
import { loadsResults } from '../../bench/loads/results.ts';
import { prefixResults } from '../../bench/prefix/results.ts';
import { replaceTables } from '../../bench/replace-tables.ts';
import { readResults } from '../../bench/results.ts';
import { serviceResults } from '../../bench/service/results.ts';
import { startupResults } from '../../bench/startup/results.ts';
import { starvationResults } from '../../bench/starvation/results.ts';
import { steeringResults } from '../../bench/steering/results.ts';
import { renderTables } from '../../bench/tables.ts';
import { engineFixture, fixtures, startupFixture } from './fixture-results.ts';

const tables = renderTables(fixtures);
const blank = [...tables.keys()]
  .map((name) => `text\n<!-- bench:${name}:start -->\nold\n<!-- bench:${name}:end -->\nmore`)
  .join('\n');

describe('tables of the benchmarks', () => {
  it.each([
    [engineResults, fixtures.engine],
    [steeringResults, fixtures.steering],
    [serviceResults, fixtures.service],
    [prefixResults, fixtures.prefix],
    [starvationResults, fixtures.starvation],
    [enduranceResults, fixtures.endurance],
    [startupResults, fixtures.startup],
    [loadsResults, fixtures.loads],
  ])('are made from results that the schemas accept (%#)', (schema, fixture) => {
    expect(schema.parse(fixture)).toEqual(fixture);
    expect(() => schema.parse({ ...fixture, settings: undefined })).toThrow();
  });

  it('quote medians, and ratios taken within rounds', () => {
    expect(tables.get('decode')).toContain('| Tiller f32 | 1 | 25.0 | 2.50 | 25.0 | 2.50 |');
    expect(tables.get('decode')).toContain('BF16 one row: 2 threads, flash attention, batches of 256');
    expect(tables.get('decode')).toContain('A processor, 2 cores, Node 20.0.0, ONNX Runtime 1.30.0');
    expect(tables.get('prefill')).toContain('| Tiller f32 | 128 | 500 | 2.50 | 500 | 2.50 |');
    expect(tables.get('steering')).toContain(
      '| 32 distinct, one hook point | f32 | 99.0 % | 98.0 % | 97.5 % | 51.7 % |',
    );
    expect(tables.get('steering')).toContain(
      '| one row steered, the others not, one hook point | f32 |  | 50.0 % |  |  |',
    );
    expect(tables.get('service')).toContain('| 2, 50.0 % steered 8 ways | 9 | 20 | 30 |');
    expect(tables.get('service')).toContain('95.0 %; event-loop delay p99 8.0 ms');
    expect(tables.get('prefix')).toContain('| unsteered, never sent before | 0 | 2000 | 1.00 |');
    expect(tables.get('prefix')).toContain('| steered by B, after A | 0 | 2000 | 1.00 |');
    expect(tables.get('starvation')).toContain('is read: 2.50 times the median without it');
    expect(tables.get('endurance')).toContain('| 800 MB | 1000 MB | 1.25 |');
    expect(tables.get('endurance')).toContain('| 900 MB | 1000 MB | 25 MB |');
    expect(tables.get('startup')).toContain('| first token, asked once ready | 2.50 |');
    expect(tables.get('loads')).toContain('| a model, f32 | 2.50 | ≤ 3 |');
    expect(tables.get('memory')).toContain('| **resident** | 140 | 200 |');
    expect(tables.get('memory')).toContain('| 1.40 | 1.60 |');
  });

  it('show every promise with its floor, kept or not, measured or not', () => {
    const gates = tables.get('gates');
    expect(gates).toContain('| decode, 1 row, f32 over BF16, with sampling (`engine`) | 2.50 | ≥ 1.3 | 1.5 | kept |');
    const decode = engineFixture.decode.filter(({ engine }) => engine !== 'tiller-int8');
    const partial = renderTables({ ...fixtures, engine: { ...engineFixture, decode } }).get('gates');
    expect(partial).toContain(
      '| decode, 1 row, int8 over Q8_0, model alone (`engine`) | not measured | ≥ 1.9 | 2.5 | **not kept** |',
    );
  });

  it('show every text of the demonstration, in one cell each', () => {
    expect(tables.get('demo')).toContain('| unsteered | Hi \\| there |');
    expect(tables.get('demo')).toContain('| 7 “pirates”, 2 | Ahoy ⏎ there |');
  });

  it('say so where a platform does not tell what memory is made of', () => {
    const unknown = startupFixture.memory.busy.map((entry) => ({ ...entry, peak: null, parts: null }));
    const memory = { loaded: unknown, busy: unknown };
    const table = renderTables({ ...fixtures, startup: { ...startupFixture, memory } }).get('memory');
    expect(table).toContain('| mapped weights | not known | not known |');
    expect(table).toContain('| **resident** | 200 | 200 |');
  });
});

describe('replacing tables', () => {
  const filled = replaceTables(blank, tables);

  it('puts every table between its markers and leaves the rest alone', () => {
    for (const table of tables.values()) expect(filled).toContain(`start -->\n${table}\n<!-- bench:`);
    expect(filled).not.toMatch(/^old$/m);
    expect(filled.match(/^text$/gm)).toHaveLength(tables.size);
    expect(replaceTables(filled, tables)).toBe(filled);
  });

  it('changes the text where a figure has changed', () => {
    const faster = engineFixture.decode.map((entry) => ({ ...entry, tokensPerSecond: [99, 99, 99] }));
    const changed = renderTables({ ...fixtures, engine: { ...engineFixture, decode: faster } });
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
