import { openStore } from '../store/index.ts';
import type { Handlers } from '../threads/calls.ts';
import { type EmbedLabelsOptions, embedLabels, type LabelProgress } from './embed-labels.ts';
import { Embedder, type EmbedderFiles } from './embedder.ts';

export interface EmbedderThreadData {
  readonly files: EmbedderFiles;
  /** The store whose labels are embedded. */
  readonly storePath: string;
  /** One number: 1 while requests are served. Shared between threads. */
  readonly busy: Int32Array;
}

export interface EmbeddingState extends LabelProgress {
  /** Why embedding labels ended; null while it goes on. */
  readonly failure: string | null;
}

/** What the embedding thread does: queries when they come, labels between them. */
export function embedderHandlers(data: EmbedderThreadData, open = () => Embedder.open(data.files)) {
  const stopping = new AbortController();
  let state: EmbeddingState = { done: 0, total: 0, failure: null };
  const opening = open();
  // Whoever calls first is told why it cannot be opened.
  opening.catch(() => undefined);
  const work = opening
    .then((embedder) => embedStore(data, embedder, stopping.signal, (progress) => (state = { ...state, ...progress })))
    .catch((error: unknown) => {
      state = { ...state, failure: error instanceof Error ? error.message : String(error) };
    });
  const handlers = {
    hash: async () => (await opening).hash,
    embed: async (texts: readonly string[]) => (await opening).embed(texts),
    state: () => state,
  } satisfies Handlers;
  const close = async () => {
    stopping.abort();
    await work;
    await opening.then((embedder) => embedder.close()).catch(() => undefined);
  };
  return { handlers, close };
}

async function embedStore(
  { storePath, busy }: EmbedderThreadData,
  embedder: EmbedLabelsOptions['embedder'],
  signal: AbortSignal,
  onProgress: EmbedLabelsOptions['onProgress'],
): Promise<void> {
  const store = await openStore(storePath);
  try {
    await embedLabels({ store, embedder, busy: () => Atomics.load(busy, 0) === 1, onProgress, signal });
  } finally {
    store.close();
  }
}
