import type { Embedder, EmbedderFiles } from '../../sae-registry/embedder/embedder.ts';
import { openTextEmbedder, type TextEmbedder } from '../../sae-registry/index.ts';
import { FeatureSearch } from '../../sae-registry/search/feature-search.ts';
import { noFilters, type SearchMode, type SearchQuery } from '../../sae-registry/search/query.ts';
import { Searcher } from '../../sae-registry/search/searcher.ts';
import { percentile } from '../statistics.ts';
import { BenchStore } from './bench-store.ts';
import { embedLabels } from './label-embeddings.ts';
import { LabelVectors } from './label-vectors.ts';
import type { SearchResults } from './results.ts';
import { manyLabels, syntheticQueries } from './synthetic.ts';

type Size = SearchResults['sizes'][number];

/** Features of a source; a store of a million has eight of them. */
const sourceFeatures = 131_072;
/** Queries whose ten nearest labels are found by comparing with all. */
const recallQueries = 24;
const nearest = 10;
/** Queries that are asked before any is timed. */
const warmUpQueries = 30;

/** How the queries are asked: by so many at once, one after the other each. */
const cases: readonly { readonly mode: SearchMode; readonly clients: number }[] = [
  { mode: 'hybrid', clients: 1 },
  { mode: 'hybrid', clients: 16 },
  { mode: 'lexical', clients: 1 },
  { mode: 'semantic', clients: 1 },
];

/**
 * Fills a store with that many features and searches it as the service does: one thread searches, one embeds.
 * @param direct the same embedder, for what is prepared and checked
 */
export async function measureSize(
  features: number,
  files: EmbedderFiles,
  direct: Embedder,
  { seed, queries, embedded }: SearchResults['settings'],
): Promise<Size> {
  const texts = manyLabels(features, embedded, seed);
  const rows = await embedLabels(direct, texts.slice(0, embedded));
  const its = await BenchStore.open();
  const embedder = openTextEmbedder(files, its.path, () => true);
  try {
    const hash = await embedder.hash();
    const began = performance.now();
    const ids = importLabels(its, texts);
    const importedPerSecond = (features * 1000) / (performance.now() - began);
    const withoutEmbeddings = its.fileBytes();
    const vectors = new LabelVectors(rows, seed);
    its.embed(ids, hash, () => vectors.next());
    const fileBytes = its.fileBytes();
    const asked = syntheticQueries(queries * cases.length + warmUpQueries, seed + 1);
    const measured = await measureSearches(its.path, embedder, asked, queries);
    return {
      features,
      importedPerSecond,
      fileBytes,
      embeddingBytes: fileBytes - withoutEmbeddings,
      ...measured,
      recallAtTen: measureRecall(its, hash, await direct.embed(asked.slice(0, recallQueries))),
    };
  } finally {
    await embedder.close();
    its.remove();
  }
}

function importLabels(its: BenchStore, texts: readonly string[]): number[] {
  const sources = Array.from({ length: Math.ceil(texts.length / sourceFeatures) }, (_, layer) => {
    const some = texts.slice(layer * sourceFeatures, (layer + 1) * sourceFeatures);
    const labels = some.map((text, feature) => ({ feature, text, clarity: null }));
    return its.add(`bench/${layer}-res`, layer, labels);
  });
  return sources.flat();
}

async function measureSearches(path: string, embedder: TextEmbedder, asked: readonly string[], queries: number) {
  const search = new FeatureSearch(path);
  try {
    const began = performance.now();
    await search.useEmbedder(embedder);
    await search.search(ask('the first of all', 'hybrid'));
    const firstSearchSeconds = (performance.now() - began) / 1000;
    // The first searches of a process are slower, since their code is not compiled yet: they are not what a service does all day.
    await measureClients(search, asked.slice(cases.length * queries), 'hybrid', 1);
    const latencies: Size['latencies'] = [];
    for (const [at, { mode, clients }] of cases.entries()) {
      const texts = asked.slice(at * queries, (at + 1) * queries);
      const times = await measureClients(search, texts, mode, clients);
      latencies.push({ mode, clients, queries, p50: percentile(times, 50), p99: percentile(times, 99) });
    }
    const { labelBytes, embeddingBytes } = await search.memory();
    return { firstSearchSeconds, latencies, labelMemoryBytes: labelBytes, embeddingMemoryBytes: embeddingBytes };
  } finally {
    await search.close();
  }
}

/** Milliseconds of each query. */
async function measureClients(search: FeatureSearch, texts: readonly string[], mode: SearchMode, clients: number) {
  const waiting = [...texts];
  const times: number[] = [];
  const client = async () => {
    for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
      const began = performance.now();
      const answer = await search.search(ask(text, mode));
      times.push(performance.now() - began);
      if (answer.mode !== mode) throw new Error(`asked for ${mode}, got ${answer.mode}: ${answer.reason}`);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return times;
}

/** Of the nearest labels by comparing with all, the share that search by meaning gives. */
function measureRecall(its: BenchStore, embedder: string, queries: readonly Float32Array[]): number {
  const searcher = new Searcher(its.path);
  try {
    const exact = exactThresholds(its, queries);
    let found = 0;
    for (const [at, values] of queries.entries()) {
      const { hits } = searcher.search({ ...ask(`q${at}`, 'semantic'), limit: nearest }, { values, embedder });
      // What ties with the tenth is as near.
      found += hits.filter(({ similarity }) => (similarity ?? -1) >= (exact[at] ?? 1) - 1e-4).length;
    }
    return found / (queries.length * nearest);
  } finally {
    searcher.close();
  }
}

/** Cosine of the tenth nearest label of each query. */
function exactThresholds(its: BenchStore, queries: readonly Float32Array[]): number[] {
  const best = queries.map(() => new Float32Array(nearest).fill(-1));
  const rows = its.store.connection.prepare('select embedding from label_embeddings').pluck();
  for (const row of rows.iterate() as IterableIterator<Buffer>) {
    const values = new Int8Array(row.buffer, row.byteOffset, row.length);
    for (const [at, query] of queries.entries()) {
      let sum = 0;
      for (let i = 0; i < values.length; i++) sum += values[i] * query[i];
      const kept = best[at];
      if (sum / 127 > kept[0]) {
        kept[0] = sum / 127;
        kept.sort();
      }
    }
  }
  return best.map((kept) => kept[0]);
}

function ask(text: string, mode: SearchMode): SearchQuery {
  return { text, filters: noFilters, mode, limit: 10, cursor: null };
}
