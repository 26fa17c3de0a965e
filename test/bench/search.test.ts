import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../../bench/checkout.ts';
import { replaceTables } from '../../bench/replace-tables.ts';
import { readResults } from '../../bench/results.ts';
import { checkSearch } from '../../bench/search/gates.ts';
import { LabelVectors } from '../../bench/search/label-vectors.ts';
import { recallAtFive } from '../../bench/search/queries.ts';
import { type SearchResults, searchResults } from '../../bench/search/results.ts';
import { manyLabels, syntheticLabels, syntheticQueries } from '../../bench/search/synthetic.ts';
import { searchTables } from '../../bench/search/tables.ts';
import { clusteredVectors, eightBits } from '../sae-registry/search/clustered-vectors.ts';
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
  settings: { seed: 1, queries: 10, embedded: 1000 },
  sizes: [size(131_072, 6), size(1_000_000, 30)],
  quality: {
    labels: 4096,
    queries: [{ query: 'cats', hybrid: 1, lexical: 0.5, semantic: 0.75 }],
    recallAtFive: { hybrid: 0.7, lexical: 0.3, semantic: 0.65 },
    halves: [{ weight: 0.25, tuned: 0.71, heldOut: { hybrid: 0.66, lexical: 0.28, semantic: 0.64 } }],
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
    expect(tables.get('search-halves')).toContain('| 0.25 | 0.710 | 0.660 | 0.280 | 0.640 |');
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
    const many = manyLabels(300, 200, 1);
    expect(many).toHaveLength(300);
    expect(new Set(many.slice(0, 200)).size).toBe(200);
  });

  it('moves embeddings that are not there as those that are differ', () => {
    const real = eightBits(clusteredVectors(20, 4));
    const rows = Int8Array.from(real.flatMap((vector) => [...vector]));
    const take = () => {
      const vectors = new LabelVectors(rows, 3);
      return Array.from({ length: 30 }, () => vectors.next());
    };
    const taken = take();
    expect(take()).toEqual(taken);
    expect(taken.slice(0, 20)).toEqual(real);
    for (const [at, moved] of taken.slice(20).entries()) {
      const product = (other: Int8Array) =>
        moved.reduce((sum, value, i) => sum + value * (other[i] as number), 0) / 127 ** 2;
      expect(product(moved)).toBeCloseTo(1, 1);
      expect(product(real[at] as Int8Array)).toBeGreaterThan(0.7);
      expect(product(real[at] as Int8Array)).toBeLessThan(0.999);
    }
  });
});
