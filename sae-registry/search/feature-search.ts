import { TillerError } from '../../engine/core/index.ts';
import type { TextEmbedder } from '../embedder/text-embedder.ts';
import { openThread, Thread } from '../threads/thread.ts';
import type { LabelNeighbours } from './label-neighbours.ts';
import type { FoundFeature, RankedFeature, SearchPage, SearchQuery } from './query.ts';
import { searchHandlers } from './search-handlers.ts';
import type { QueryVector } from './searcher.ts';

export interface SearchAnswer extends SearchPage {
  /** Why a search that did not ask for it was by words alone; null otherwise. */
  readonly reason: string | null;
}

/** Search over the labels of a store, off the event loop: one thread searches, another one embeds. */
export class FeatureSearch {
  readonly #thread: Thread;
  #embedder: { readonly its: TextEmbedder; readonly hash: string } | null = null;
  /** Why there is no embedder. */
  #missing = 'The label embedder is still being prepared.';
  #failed = false;
  #closed = false;

  /** @param storePath the store's file; it stays open elsewhere as long as this is used */
  constructor(storePath: string) {
    this.#thread = new Thread(() =>
      openThread(import.meta.url, 'search-worker', storePath, () => searchHandlers(storePath)),
    );
  }

  /** From now on searches are by meaning too, where labels are embedded. Throws what kept the embedder from being opened. */
  async useEmbedder(embedder: TextEmbedder): Promise<void> {
    const hash = await embedder.hash();
    if (this.#closed) await embedder.close();
    else this.#embedder = { its: embedder, hash };
  }

  /** There will be none, and why: searches say so. */
  withoutEmbedder(reason: string): void {
    this.#missing = reason;
    this.#failed = true;
  }

  /** Throws like `Searcher.search`, and `not_ready` or `model_unavailable` for meaning alone without an embedder. */
  async search(query: SearchQuery): Promise<SearchAnswer> {
    if (query.mode === 'semantic' && this.#embedder === null) throw this.#noEmbedder('mode');
    const vector = query.mode === 'lexical' ? null : await this.#vectorOf(query.text);
    const page = await this.#thread.call<SearchPage>('search', { query, vector });
    return { ...page, reason: this.#reason(query, page) };
  }

  /** Throws like `Searcher.lookup`. */
  lookup(ids: readonly string[]): Promise<FoundFeature[]> {
    return this.#thread.call<FoundFeature[]>('lookup', ids);
  }

  /** Throws like `Searcher.rerank`, and `not_ready` or `model_unavailable` without an embedder. */
  async rerank(text: string, ids: readonly string[]): Promise<RankedFeature[]> {
    const vector = await this.#vectorOf(text);
    if (vector === null) throw this.#noEmbedder('query');
    return this.#thread.call<RankedFeature[]>('rerank', { ids, vector });
  }

  /** Throws like `Searcher.labelNeighbours`. Needs no embedder: what is compared is in the store. */
  labelNeighbours(feature: string, sources: readonly string[], limit: number): Promise<LabelNeighbours> {
    return this.#thread.call<LabelNeighbours>('labelNeighbours', { feature, sources, limit });
  }

  /** Bytes that the search thread holds. */
  memory(): Promise<{ readonly labels: number; readonly labelBytes: number; readonly embeddingBytes: number }> {
    return this.#thread.call('memory', null);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread.close();
    await this.#embedder?.its.close();
  }

  async #vectorOf(text: string): Promise<QueryVector | null> {
    if (this.#embedder === null) return null;
    const { its, hash } = this.#embedder;
    return { values: await its.embed(text), embedder: hash };
  }

  #reason({ mode: asked }: SearchQuery, { mode, embeddings }: SearchPage): string | null {
    if (asked === 'lexical' || mode !== 'lexical') return null;
    if (this.#embedder === null) return this.#missing;
    const { done, total } = embeddings;
    return `Labels are still being embedded: ${done} of ${total} so far. Until then they are searched by words alone.`;
  }

  #noEmbedder(param: string): TillerError {
    const way = "Search by words meanwhile: 'mode': 'lexical'.";
    return new TillerError(this.#failed ? 'model_unavailable' : 'not_ready', `${this.#missing} ${way}`, {
      param,
      ...(this.#failed ? {} : { retryAfterSeconds: 10 }),
    });
  }
}
