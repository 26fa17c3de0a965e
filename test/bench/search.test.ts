import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../bench/checkout.ts';
import { replaceTables } from '../../bench/replace-tables.ts';
import { readResults } from '../../bench/results.ts';
import { checkSearch } from '../../bench/search/gates.ts';
import { recallAtFive } from '../../bench/search/queries.ts';
import { type SearchResults, searchResults } from '../../bench/search/results.ts';
import { ClusteredVectors, syntheticLabels, syntheticQueries } from '../../bench/search/synthetic.ts';
import { searchTables } from '../../bench/search/tables.ts';
import { machineFixture } from './fixture-results.ts';

const size = (features: number, p99: number): SearchResults['sizes'][number] => ({
  features,
  importedPerSecond: 30_000,
  fileBytes: 2e8,
  embeddingBytes: 1e8,
  labelMemoryBytes: 1e6,
  embeddingMemoryBytes: 5e7,
  firstSearchSeconds: 1.5,
  recallAtTen: 0.99,
  latencies: [1, 16].map((clients) => ({ mode: 'hybrid', clients, queries: 10, p50: p99 / 2, p99: p99 * clients })),
});
const fixture: SearchResults = {
  machine: machineFixture,
  settings: { seed: 1, queries: 10 },
  sizes: [size(131_072, 6), size(1_000_000, 30)],
  quality: {
    labels: 4096,
    queries: [{ query: 'cats', hybrid: 1, lexical: 0.5, semantic: 0.75 }],
    recallAtFive: { hybrid: 0.7, lexical: 0.3, semantic: 0.65 },
  },
  otherLoad: [0, 0],
  disturbedRounds: 0,
};

describe('the benchmark of search', () => {
  it('keeps what its schema accepts, and keeps its promises by it', () => {
    expect(searchResults.parse(fixture)).toEqual(fixture);
    expect(checkSearch(fixture).map(({ passed }) => passed)).toEqual(Array(7).fill(true));
    const slow = { ...fixture, sizes: [size(131_072, 30), size(1_000_000, 90)] };
    expect(checkSearch(slow).map(({ passed }) => passed)).toEqual([false, false, false, true, true, true, true]);
    const partial = checkSearch({ ...fixture, sizes: [size(1000, 1)] });
    expect(partial.slice(0, 3).map(({ value, passed }) => [value, passed])).toEqual(Array(3).fill([null, false]));
  });

  it('shows every figure', () => {
    const tables = searchTables(fixture);
    expect(tables.get('search-speed')).toContain('| 1,000,000 | hybrid | 16 | 15.0 | 480.0 |');
    expect(tables.get('search-size')).toContain('| 131,072 | 30000 | 200 | 100 | 1 | 50 | 1.5 | 0.990 |');
    expect(tables.get('search-quality')).toContain('| both | 0.700 |');
    expect(tables.get('search-questions')).toContain('| cats | 0.50 | 0.75 | 1.00 |');
    expect(searchTables(null).get('search-speed')).toContain('npm run bench:search');
  });

  it('stands in docs/search.md as it was measured (npm run bench:report writes it)', () => {
    const text = readFileSync(join(checkout, 'docs', 'search.md'), 'utf8');
    expect(text).toBe(replaceTables(text, searchTables(readResults().search)));
  });

  it('found more with both than with words or meaning alone', () => {
    const kept = readResults().search?.quality.recallAtFive;
    expect(kept?.hybrid).toBeGreaterThan(kept?.lexical ?? 1);
    expect(kept?.hybrid).toBeGreaterThan(kept?.semantic ?? 1);
  });

  it('counts what could be found as the whole', () => {
    expect(recallAtFive([1, 2, 3, 4, 5, 6], [6])).toBe(0);
    expect(recallAtFive([1, 2, 3, 4, 5], [5, 9])).toBe(0.5);
    expect(recallAtFive([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7])).toBe(1);
  });

  it('makes the same labels, queries and vectors of a seed', () => {
    const [one, two, other] = [syntheticLabels(1), syntheticLabels(1), syntheticLabels(2)];
    const some = (label: () => string) => Array.from({ length: 50 }, label);
    const labels = some(one);
    expect(some(two)).toEqual(labels);
    expect(some(other)).not.toEqual(labels);
    expect(new Set(syntheticQueries(200, 1)).size).toBe(200);
    const vector = new ClusteredVectors(3).nextEightBits();
    expect(new ClusteredVectors(3).nextEightBits()).toEqual(vector);
    expect(Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) / 127).toBeCloseTo(1, 1);
  });
});
