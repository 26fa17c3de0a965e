import { LRUCache } from 'lru-cache';
import { openThread, Thread } from '../threads/thread.ts';
import type { EmbedderFiles } from './embedder.ts';
import { type EmbeddingState, embedderHandlers } from './embedder-handlers.ts';

/** Directions of queries, and the labels' in the background; a test puts another one in its place. */
export interface TextEmbedder {
  /** Of its files: embeddings of another one cannot be compared with its. */
  hash(): Promise<string>;
  /** A direction of unit length. */
  embed(text: string): Promise<Float32Array>;
  /** How far the store's labels are. */
  state(): Promise<EmbeddingState>;
  close(): Promise<void>;
}

/** Queries that are asked again and again are embedded once. */
const rememberedQueries = 512;
/** How often the thread learns whether requests are being served. */
const busyMilliseconds = 100;

/** The embedder on a thread of its own, which begins at once with the store's labels. */
export function openTextEmbedder(files: EmbedderFiles, storePath: string, isBusy: () => boolean): TextEmbedder {
  const busy = new Int32Array(new SharedArrayBuffer(4));
  const data = { files, storePath, busy };
  const thread = new Thread(() => openThread(import.meta.url, 'embedder-worker', data, () => embedderHandlers(data)));
  const tell = setInterval(() => Atomics.store(busy, 0, isBusy() ? 1 : 0), busyMilliseconds).unref();
  const known = new LRUCache<string, Float32Array>({ max: rememberedQueries });
  return {
    hash: () => thread.call<string>('hash', null),
    async embed(text) {
      const remembered = known.get(text);
      if (remembered) return remembered;
      const [vector] = await thread.call<Float32Array[]>('embed', [text]);
      known.set(text, vector as Float32Array);
      return vector as Float32Array;
    },
    state: () => thread.call<EmbeddingState>('state', null),
    close: async () => {
      clearInterval(tell);
      await thread.close();
    },
  };
}
