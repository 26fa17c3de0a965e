import { atLeast, atMost, type Gate } from '../gates.ts';
import type { SearchResults } from './results.ts';

type Size = SearchResults['sizes'][number];

/** What search promises; at other sizes nothing is promised. */
export function checkSearch({ sizes, quality }: SearchResults): Gate[] {
  const small = sizes.find(({ features }) => features === 131_072);
  const large = sizes.find(({ features }) => features === 1_000_000);
  const recalls = sizes.map(({ recallAtTen }) => recallAtTen);
  const { hybrid, lexical, semantic } = quality.recallAtFive;
  return [
    atMost('milliseconds of a hybrid search, 131,072 features, 1 client, p99', p99(small, 1), 20),
    atMost('milliseconds of a hybrid search, 131,072 features, 16 clients, p99', p99(small, 16), 100),
    atMost('milliseconds of a hybrid search, 1,000,000 features, 1 client, p99', p99(large, 1), 80, 15),
    atLeast('labels imported a second', Math.min(...sizes.map(({ importedPerSecond }) => importedPerSecond)), 20_000),
    atLeast('recall@10 of search by meaning against comparing all', Math.min(...recalls), 0.95),
    atLeast('recall@5 of hybrid search over that by words', lexical === 0 ? null : hybrid / lexical, 1),
    atLeast('recall@5 of hybrid search over that by meaning', semantic === 0 ? null : hybrid / semantic, 1),
  ];
}

function p99(size: Size | undefined, clients: number): number | null {
  return size?.latencies.find((one) => one.mode === 'hybrid' && one.clients === clients)?.p99 ?? null;
}
