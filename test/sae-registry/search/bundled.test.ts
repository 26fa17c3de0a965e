import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBundledLabels, readQueries } from '../../../bench/search/queries.ts';
import { openRegistry } from '../../../sae-registry/index.ts';
import { noFilters } from '../../../sae-registry/search/query.ts';
import { Searcher } from '../../../sae-registry/search/searcher.ts';
import { type SearchStore, searchStore } from './search-store.ts';

const id = 'smollm2-135m-instruct/17-res-4k';
const smollm2 = { id: 'smollm2-135m-instruct', dModel: 576, blocks: 30, hash: 'abc' };

describe('the bundled labels', () => {
  let its: SearchStore;
  let searcher: Searcher;

  beforeAll(async () => {
    its = await searchStore();
    await openRegistry({ model: smollm2, sources: [id], store: its.store });
    searcher = new Searcher(its.path);
  });

  afterAll(() => {
    searcher.close();
    its.remove();
  });

  const indices = (text: string) =>
    searcher
      .search({ text, filters: { ...noFilters, sources: [id] }, mode: null, limit: 3, cursor: null }, null)
      .hits.map(({ index }) => index);

  it('are found by words once their source was opened', () => {
    expect(indices('joy')).toContain(1126);
    expect(indices('MUSIC')).toContain(307);
    expect(indices('heavens gods prayer')[0]).toBe(837);
    expect(indices('rejoicing')).toContain(1126);
    expect(indices('zzzzqqq')).toEqual([]);
  });

  it('are what the questions of the quality benchmark were written for', () => {
    const queries = readQueries();
    const labels = readBundledLabels();
    expect(queries).toHaveLength(60);
    expect(new Set(queries.map(({ query }) => query)).size).toBe(60);
    for (const { features } of queries) for (const index of features) expect(labels[index]?.index).toBe(index);
  });
});
