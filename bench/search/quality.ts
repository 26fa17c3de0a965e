import type { Embedder } from '../../sae-registry/embedder/embedder.ts';
import { toEightBits } from '../../sae-registry/embedder/embedding.ts';
import { noFilters, type SearchMode, searchModes } from '../../sae-registry/search/query.ts';
import { Searcher } from '../../sae-registry/search/searcher.ts';
import { mean } from '../statistics.ts';
import { BenchStore } from './bench-store.ts';
import { type QualityQuery, readBundledLabels, readQueries, recallAtFive } from './queries.ts';
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
    const halves = await measureHalves(its.path, embedder, queries, recalls);
    return {
      labels: labels.length,
      halves,
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

const weights = Array.from({ length: 21 }, (_, at) => at / 20);

/**
 * Chooses the weight of words on every other query and asks the rest with it, then the other way round: what the weight is worth on
 * questions that it was not chosen on. Of equally good weights it is the middle one.
 */
async function measureHalves(
  path: string,
  embedder: Embedder,
  queries: readonly QualityQuery[],
  { lexical, semantic }: Readonly<Record<SearchMode, readonly number[]>>,
): Promise<SearchResults['quality']['halves']> {
  const vectors: Float32Array[] = [];
  for (const { query } of queries) vectors.push(...(await embedder.embed([query])));
  /** recall@5 of each query by weight. */
  const found = weights.map((weight) => {
    const searcher = new Searcher(path, weight);
    try {
      return queries.map(({ query, features }, at) => {
        const asked = { text: query, filters: noFilters, mode: 'hybrid' as const, limit: 5, cursor: null };
        const { hits } = searcher.search(asked, { values: vectors[at], embedder: embedder.hash });
        return recallAtFive(
          hits.map(({ index }) => index),
          features,
        );
      });
    } finally {
      searcher.close();
    }
  });
  return [0, 1].map((half) => {
    const [own, other] = [half, 1 - half].map((which) => (list: readonly number[]) => {
      return mean(list.filter((_, at) => at % 2 === which));
    });
    const means = found.map(own);
    const best = weights.map((_, at) => at).filter((at) => means[at] >= Math.max(...means) - 1e-9);
    const chosen = best[best.length >> 1];
    const heldOut = { hybrid: other(found[chosen]), lexical: other(lexical), semantic: other(semantic) };
    return { weight: weights[chosen], tuned: means[chosen], heldOut };
  });
}
