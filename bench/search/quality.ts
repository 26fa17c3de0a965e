import type { Embedder } from '../../sae-registry/embedder/embedder.ts';
import { toEightBits } from '../../sae-registry/embedder/embedding.ts';
import { noFilters, type SearchMode, searchModes } from '../../sae-registry/search/query.ts';
import { Searcher } from '../../sae-registry/search/searcher.ts';
import { mean } from '../statistics.ts';
import { BenchStore } from './bench-store.ts';
import { readBundledLabels, readQueries, recallAtFive } from './queries.ts';
import type { SearchResults } from './results.ts';

/** Labels that are embedded at a time, as in the service. */
const batch = 8;

/** How well plain questions find the bundled source's features, by words, by meaning and by both. */
export async function measureQuality(embedder: Embedder): Promise<SearchResults['quality']> {
  const labels = readBundledLabels();
  const its = await BenchStore.open();
  const searcher = new Searcher(its.path);
  try {
    const ids = its.add(
      'smollm2-135m-instruct/17-res-4k',
      17,
      labels.map(({ index, label, clarity }) => ({ feature: index, text: label, clarity })),
    );
    const vectors: Int8Array[] = [];
    for (let at = 0; at < labels.length; at += batch) {
      const some = await embedder.embed(labels.slice(at, at + batch).map(({ label }) => label));
      vectors.push(...some.map(toEightBits));
    }
    its.embed(ids, embedder.hash, (at) => vectors[at]);
    const queries = readQueries();
    const recalls: Record<SearchMode, number[]> = { hybrid: [], lexical: [], semantic: [] };
    for (const { query, features } of queries) {
      const [values] = await embedder.embed([query]);
      for (const mode of searchModes) {
        const asked = { text: query, filters: noFilters, mode, limit: 5, cursor: null };
        const { hits } = searcher.search(asked, { values, embedder: embedder.hash });
        const found = hits.map(({ index }) => index);
        recalls[mode].push(recallAtFive(found, features));
      }
    }
    return {
      labels: labels.length,
      queries: queries.map(({ query }, at) => ({
        query,
        hybrid: recalls.hybrid[at],
        lexical: recalls.lexical[at],
        semantic: recalls.semantic[at],
      })),
      recallAtFive: {
        hybrid: mean(recalls.hybrid),
        lexical: mean(recalls.lexical),
        semantic: mean(recalls.semantic),
      },
    };
  } finally {
    searcher.close();
    its.remove();
  }
}
