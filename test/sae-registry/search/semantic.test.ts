import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toUnit } from '../../../sae-registry/embedder/embedding.ts';
import { BitRows } from '../../../sae-registry/search/bit-rows.ts';
import { EmbeddingRows } from '../../../sae-registry/search/embedding-rows.ts';
import { noFilters, type SearchMode, type SearchQuery } from '../../../sae-registry/search/query.ts';
import { type QueryVector, Searcher } from '../../../sae-registry/search/searcher.ts';
import { clusteredVectors, eightBits } from './clustered-vectors.ts';
import { type SearchStore, searchStore } from './search-store.ts';

let its: SearchStore;
let searcher: Searcher;

beforeEach(async () => {
  its = await searchStore();
  searcher = new Searcher(its.path);
});

afterEach(() => {
  searcher.close();
  its.remove();
});

const query = (text: string, mode: SearchMode | null = null, rest: Partial<SearchQuery> = {}): SearchQuery => ({
  text,
  filters: noFilters,
  mode,
  limit: 10,
  cursor: null,
  ...rest,
});
const by = (values: Float32Array, embedder = 'test'): QueryVector => ({ values, embedder });
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, at) => sum + value * (b[at] as number), 0);

/** A source whose labels have the texts and vectors. */
function fill(texts: readonly string[], vectors: readonly Float32Array[]): number[] {
  const ids = its.label(its.source('toy/a', { features: texts.length }), texts);
  its.embed(new Map(eightBits(vectors).map((values, at) => [ids[at] as number, values])));
  return ids;
}

describe('rows that differ in the fewest signs', () => {
  const vectors = clusteredVectors(3000, 10);
  const place = (at: number) => at * 17;
  const rows = new BitRows();
  for (const [at, vector] of vectors.entries()) rows.set(place(at), vector);
  const [asked] = clusteredVectors(1, 1, 9) as [Float32Array];
  const differing = vectors.map((vector) => vector.filter((value, i) => value > 0 !== (asked[i] as number) > 0).length);
  const isThere = (row: number) => row % 17 === 0 && row < place(vectors.length);

  it.each([1, 100, 2999, 5000])(
    'are those that counting one by one gives: %i of them, over several chunks',
    (wanted) => {
      const found = rows.nearest(asked, 0, place(vectors.length), wanted, isThere);
      // Ascending by count; of those of one count the first.
      const order = vectors
        .map((_, at) => at)
        .sort((a, b) => (differing[a] as number) - (differing[b] as number) || a - b);
      const expected = order.slice(0, wanted).map(place);
      expect(found).toEqual(expected.sort((a, b) => a - b));
    },
  );

  it('are among the rows of the range that are accepted', () => {
    const found = rows.nearest(asked, place(1000), place(2000), 50, (row) => isThere(row) && row % 2 === 0);
    const order = vectors.map((_, at) => at).filter((at) => at >= 1000 && at < 2000 && place(at) % 2 === 0);
    order.sort((a, b) => (differing[a] as number) - (differing[b] as number) || a - b);
    expect(found).toEqual(
      order
        .slice(0, 50)
        .map(place)
        .sort((a, b) => a - b),
    );
  });
});

describe('cosines of rows', () => {
  const vectors = clusteredVectors(2500, 10);
  const stored = eightBits(vectors);
  const [asked] = clusteredVectors(1, 1, 9) as [Float32Array];
  const expected = (row: number) => dot(asked, stored[row] as Int8Array) / 127;

  it.each([
    ['in memory', 1e9],
    ['read one by one', 1000],
  ])('equal products of floats: %s', (_, mostBytes) => {
    const rows = new EmbeddingRows(mostBytes, (row) => stored[row] ?? null);
    rows.makeRoom(1000);
    for (let row = 0; row < 1000; row++) rows.set(row, stored[row] as Int8Array);
    rows.makeRoom(vectors.length);
    for (let row = 1000; row < vectors.length; row++) rows.set(row, stored[row] as Int8Array);
    const order = vectors.map((_, at) => (at * 7) % vectors.length);
    const cosines = rows.cosines(asked, order);
    for (const [at, row] of order.entries())
      expect(Math.abs((cosines[at] as number) - expected(row))).toBeLessThan(5e-5);
    expect(rows.byteLength > vectors.length * 384).toBe(mostBytes > 1000);
  });

  it('are lowest of a row that went away', () => {
    const rows = new EmbeddingRows(0, (row) => (row === 1 ? null : (stored[row] as Int8Array)));
    rows.makeRoom(3);
    const [first, second] = rows.cosines(asked, [0, 1]);
    expect(first).toBeCloseTo(expected(0), 4);
    expect(second).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('search by meaning', () => {
  it('gives the nearest labels first with their cosines', () => {
    const vectors = clusteredVectors(50, 5);
    fill(Array(50).fill('x'), vectors);
    const { hits, mode } = searcher.search(query('y', 'semantic'), by(vectors[7] as Float32Array));
    expect(mode).toBe('semantic');
    const expected = vectors
      .map((vector, index) => ({ index, cosine: dot(vector, vectors[7] as Float32Array) }))
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10);
    expect(hits[0]).toMatchObject({ index: 7, lexicalRank: null, semanticRank: 1 });
    for (const [at, { cosine }] of expected.entries()) {
      expect(Math.abs((hits[at]?.similarity ?? 0) - cosine)).toBeLessThan(0.02);
    }
  });

  it('finds 95 of 100 of the true nearest where only signs are compared first', () => {
    const vectors = clusteredVectors(9000, 200);
    fill(Array(9000).fill('x'), vectors);
    const stored = eightBits(vectors);
    let found = 0;
    const asked = clusteredVectors(10, 200).map((vector, at) =>
      at % 2 === 0 ? vector : (vectors[at] as Float32Array),
    );
    for (const vector of asked) {
      const cosines = Float32Array.from(stored, (values) => dot(vector, values));
      const tenth = [...cosines].sort((a, b) => b - a)[9] as number;
      const { hits } = searcher.search(query(`q${found}${Math.random()}`, 'semantic'), by(vector));
      found += hits.filter(({ index }) => (cosines[index] as number) >= tenth).length;
    }
    expect(found / 100).toBeGreaterThanOrEqual(0.95);
  });

  it('fuses both: what both find comes first', () => {
    const vectors = clusteredVectors(3, 3);
    fill(['cats', 'felines', 'cats and more cats'], vectors);
    const near = toUnit(
      (vectors[2] as Float32Array).map((value, i) => value + 0.4 * ((vectors[1] as Float32Array)[i] ?? 0)),
    );
    const page = searcher.search(query('cats'), by(near));
    expect(page.mode).toBe('hybrid');
    expect(page.embeddings).toEqual({ done: 3, total: 3 });
    expect(page.hits.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(page.hits[0]).toMatchObject({ semanticRank: 1, lexicalRank: 2 });
    expect(page.hits[1]).toMatchObject({ semanticRank: 2, lexicalRank: null });
    expect(page.hits[2]).toMatchObject({ semanticRank: 3, lexicalRank: 1 });
  });

  it('is by words until the embeddings of the scope are there, and goes on where they come', () => {
    const source = its.source('toy/a');
    const other = its.source('toy/b');
    const ids = its.label(source, Array(10).fill('cats'));
    its.label(other, Array(10).fill('cats'));
    const [vector] = clusteredVectors(1, 1) as [Float32Array];
    const [values] = eightBits([vector]) as [Int8Array];
    const modeOf = (sources: string[], mode: SearchMode | null = null) => {
      const page = searcher.search(query('cats', mode, { filters: { ...noFilters, sources } }), by(vector));
      return [page.mode, page.embeddings.done, page.embeddings.total];
    };
    expect(modeOf([])).toEqual(['lexical', 0, 20]);
    its.embed(new Map(ids.slice(0, 9).map((id) => [id, values])));
    expect(modeOf(['a'])).toEqual(['lexical', 9, 10]);
    expect(modeOf(['a'], 'semantic')).toEqual(['semantic', 9, 10]);
    its.embed(new Map([[ids[9] as number, values]]));
    expect(modeOf(['a'])).toEqual(['hybrid', 10, 10]);
    expect(modeOf([], 'hybrid')).toEqual(['lexical', 10, 20]);
  });

  it('does not compare what another embedder made', () => {
    const vectors = clusteredVectors(5, 5);
    fill(Array(5).fill('cats'), vectors);
    expect(searcher.search(query('cats'), by(vectors[0] as Float32Array, 'another')).mode).toBe('lexical');
    expect(searcher.search(query('cats'), by(vectors[0] as Float32Array)).mode).toBe('hybrid');
  });

  it('sees a label that was rewritten and embedded anew', () => {
    const [a, b, c] = clusteredVectors(3, 3) as [Float32Array, Float32Array, Float32Array];
    const ids = fill(['one', 'two'], [a, b]);
    expect(searcher.search(query('x', 'semantic'), by(c)).hits).toHaveLength(2);
    its.store.connection.prepare('update labels set text = ? where id = ?').run('three', ids[0]);
    expect(searcher.search(query('y', 'semantic'), by(c)).hits).toHaveLength(1);
    its.embed(new Map([[ids[0] as number, eightBits([c])[0] as Int8Array]]));
    expect(searcher.search(query('z', 'semantic'), by(c)).hits[0]).toMatchObject({ index: 0 });
  });

  it('says that there is nothing to compare with', () => {
    its.label(its.source('toy/a'), ['cats']);
    expect(() => searcher.search(query('cats', 'semantic'), null)).toThrow(
      expect.objectContaining({ code: 'not_ready', param: 'mode' }),
    );
  });
});

describe('lookup and rerank', () => {
  it('describe features in the order asked for, with the clearest label', () => {
    const source = its.source('toy/a', { features: 10 });
    its.label(source, ['dim'], { first: 4, clarity: 1, method: 'm' });
    its.label(source, ['clear'], { first: 4, clarity: 3, method: 'n' });
    const found = searcher.lookup(['toy/a/4', 'a/9']);
    expect(found.map(({ id, label }) => [id, label?.text ?? null])).toEqual([
      ['toy/a/4', 'clear'],
      ['toy/a/9', null],
    ]);
  });

  it.each([
    [['toy/a/10'], 'feature_not_found', 'features[0]'],
    [['toy/a/1', 'toy/a/x'], 'feature_not_found', 'features[1]'],
    [['5'], 'feature_not_found', 'features[0]'],
    [['toy/b/1'], 'source_not_found', 'features[0]'],
    [['tox/a/1'], 'model_not_found', 'features[0]'],
  ])('refuse %j', (ids, code, param) => {
    its.source('toy/a', { features: 10 });
    expect(() => searcher.lookup(ids)).toThrow(expect.objectContaining({ code, param }));
  });

  it('order by meaning, with unlabelled features last', () => {
    const vectors = clusteredVectors(3, 3);
    fill(['one', 'two', 'three'], vectors);
    its.store.connection.prepare('update sources set features = 9').run();
    const ranked = searcher.rerank(['toy/a/8', 'toy/a/0', 'toy/a/2', 'toy/a/1'], by(vectors[2] as Float32Array));
    expect(ranked[0]).toMatchObject({ index: 2 });
    expect(ranked[0]?.similarity).toBeCloseTo(1, 2);
    expect(ranked.at(-1)).toMatchObject({ index: 8, similarity: null });
    its.label(1, ['four'], { first: 8 });
    expect(() => searcher.rerank(['toy/a/8'], by(vectors[2] as Float32Array))).toThrow(
      expect.objectContaining({ code: 'not_ready' }),
    );
  });
});

describe('features whose labels mean the same', () => {
  const vectors = clusteredVectors(40, 4);

  it('are those with the nearest embeddings, in the sources asked for, without an embedder', () => {
    const [a, b] = [its.source('toy/a', { features: 20 }), its.source('toy/b', { features: 20 })];
    const ids = [...its.label(a, Array(20).fill('x')), ...its.label(b, Array(20).fill('y'))];
    const stored = eightBits(vectors);
    its.embed(new Map(stored.map((values, at) => [ids[at] as number, values])));
    const near = (sources: readonly number[]) =>
      stored
        .map((values, at) => ({
          id: `toy/${at < 20 ? 'a' : 'b'}/${at % 20}`,
          source: at < 20 ? 0 : 1,
          cosine:
            dot(values, stored[3] as Int8Array) /
            Math.sqrt(dot(values, values) * dot(stored[3] as Int8Array, stored[3] as Int8Array)),
        }))
        .filter(({ id, source }) => id !== 'toy/a/3' && sources.includes(source))
        .sort((x, y) => y.cosine - x.cosine)
        .slice(0, 6);
    for (const [sources, which] of [
      [
        ['toy/a', 'toy/b'],
        [0, 1],
      ],
      [['toy/b'], [1]],
    ] as const) {
      const found = searcher.labelNeighbours('toy/a/3', sources, 6);
      expect(found).toMatchObject({ label: 'x', labels: 20 * sources.length, missing: 0 });
      const expected = near(which);
      expect(found.neighbours.map(({ similarity }) => similarity)).toEqual(
        expected.map(({ cosine }) => expect.closeTo(cosine, 1)),
      );
      expect(found.neighbours[0]?.id).toBe(expected[0]?.id);
    }
  });

  it('stand once each, however many labels they have', () => {
    const a = its.source('toy/a', { features: 3 });
    const ids = [0, 1, 1, 1, 1, 1, 1, 2].flatMap((feature, at) => its.label(a, [`label ${at}`], { first: feature }));
    its.embed(new Map(eightBits(vectors.slice(0, 8)).map((values, at) => [ids[at] as number, values])));
    const found = searcher.labelNeighbours('toy/a/0', ['toy/a'], 2);
    expect(found.neighbours.map(({ index }) => index).sort()).toEqual([1, 2]);
  });

  it('are refused of a feature without a label, or whose label is not embedded yet', () => {
    const a = its.source('toy/a', { features: 3 });
    its.label(a, ['only one']);
    expect(() => searcher.labelNeighbours('toy/a/1', ['toy/a'], 2)).toThrow(/no label/);
    expect(() => searcher.labelNeighbours('toy/a/0', ['toy/a'], 2)).toThrow(/not embedded yet/);
    expect(() => searcher.labelNeighbours('toy/a/9', ['toy/a'], 2)).toThrow(/0 to 2/);
  });
});
