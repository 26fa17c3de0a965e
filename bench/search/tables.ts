import { machineLine, table } from '../markdown.ts';
import type { SearchResults } from './results.ts';

/** docs/search.md's tables by the name in their markers. */
export function searchTables(results: SearchResults | null): ReadonlyMap<string, string> {
  const missing = 'Not measured yet: `npm run bench:search`.';
  return new Map([
    ['search-speed', results ? speedTable(results) : missing],
    ['search-size', results ? sizeTable(results) : missing],
    ['search-quality', results ? qualityTable(results) : missing],
    ['search-halves', results?.quality.halves ? halvesTable(results.quality.halves) : missing],
    ['search-questions', results ? questionsTable(results) : missing],
  ]);
}

function speedTable({ sizes, machine, otherLoad }: SearchResults): string {
  const rows = sizes.flatMap(({ features, latencies }) =>
    latencies.map(({ mode, clients, p50, p99 }) => [
      features.toLocaleString('en'),
      mode,
      String(clients),
      p50.toFixed(1),
      p99.toFixed(1),
    ]),
  );
  const queries = sizes[0]?.latencies[0]?.queries ?? 0;
  return [
    table(['features', 'mode', 'clients', 'p50, ms', 'p99, ms'], rows),
    `${queries} queries a line, none asked twice. Other programs kept ${otherLoad.map((load) => load.toFixed(1)).join(' and ')} cores busy meanwhile. ${machineLine(machine)}`,
  ].join('\n\n');
}

function sizeTable({ sizes }: SearchResults): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  const rows = sizes.map((size) => [
    size.features.toLocaleString('en'),
    size.importedPerSecond.toFixed(0),
    megabytes(size.fileBytes),
    megabytes(size.embeddingBytes),
    megabytes(size.labelMemoryBytes),
    megabytes(size.embeddingMemoryBytes),
    size.firstSearchSeconds.toFixed(1),
    size.recallAtTen.toFixed(3),
  ]);
  return table(
    [
      'features',
      'labels imported a second',
      'file, MB',
      'of it embeddings',
      'memory of labels, MB',
      'memory of embeddings, MB',
      'first search, s',
      'recall@10',
    ],
    rows,
  );
}

function qualityTable({ quality }: SearchResults): string {
  const { hybrid, lexical, semantic } = quality.recallAtFive;
  const rows = [
    ['words alone', lexical.toFixed(3)],
    ['meaning alone', semantic.toFixed(3)],
    ['both', hybrid.toFixed(3)],
  ];
  return table(['search', 'recall@5'], rows);
}

function halvesTable(halves: NonNullable<SearchResults['quality']['halves']>): string {
  const rows = halves.map(({ weight, tuned, heldOut }, half) => [
    half === 0 ? 'first, third, …' : 'second, fourth, …',
    weight.toFixed(2),
    tuned.toFixed(3),
    heldOut.hybrid.toFixed(3),
    heldOut.lexical.toFixed(3),
    heldOut.semantic.toFixed(3),
  ]);
  return table(
    ['weight chosen on', 'weight of words', 'recall@5 there', 'recall@5 of the others', 'by words', 'by meaning'],
    rows,
  );
}

function questionsTable({ quality }: SearchResults): string {
  const rows = quality.queries.map(({ query, lexical, semantic, hybrid }) => [
    query,
    lexical.toFixed(2),
    semantic.toFixed(2),
    hybrid.toFixed(2),
  ]);
  return table(['question', 'words', 'meaning', 'both'], rows);
}
