import type { Handlers } from '../threads/calls.ts';
import type { SearchQuery } from './query.ts';
import { type QueryVector, Searcher } from './searcher.ts';

/** What the search thread does. @param path the store's file */
export function searchHandlers(path: string) {
  const searcher = new Searcher(path);
  const handlers = {
    search: ({ query, vector }: { readonly query: SearchQuery; readonly vector: QueryVector | null }) =>
      searcher.search(query, vector),
    lookup: (ids: readonly string[]) => searcher.lookup(ids),
    rerank: ({ ids, vector }: { readonly ids: readonly string[]; readonly vector: QueryVector }) =>
      searcher.rerank(ids, vector),
    labelNeighbours: (asked: {
      readonly feature: string;
      readonly sources: readonly string[];
      readonly limit: number;
    }) => searcher.labelNeighbours(asked.feature, asked.sources, asked.limit),
    memory: () => searcher.memory(),
  } satisfies Handlers;
  return { handlers, close: () => searcher.close() };
}
