import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/index.ts';
import { toEightBits } from './embedding.ts';

/** Labels that are embedded at a time: some 30 ms of one core, which is what a query may have to wait for. */
const batchSize = 8;
/** Labels that are written together: each write waits for the disk. */
const labelsPerWrite = 64;
/** How long labels that come later may wait to be seen. */
const pollMilliseconds = 1000;
/** While requests are served, work and rest stand in this proportion. */
const restPerWork = 9;

/** Labels whose embedding is in the store, of all labels. */
export interface LabelProgress {
  readonly done: number;
  readonly total: number;
}

export interface EmbedLabelsOptions {
  /** A connection of this thread's own. */
  readonly store: Store;
  readonly embedder: { readonly hash: string; embed(texts: readonly string[]): Promise<Float32Array[]> };
  /** Whether requests are being served: then this work takes a tenth of its core. */
  readonly busy: () => boolean;
  readonly onProgress: (progress: LabelProgress) => void;
  readonly signal: AbortSignal;
}

interface Pending {
  readonly id: number;
  readonly text: string;
}

/**
 * Embeds every label of the store that has no embedding of this embedder, the oldest first, and those that come later, until the
 * signal ends it. What is done is in the store, so a later run goes on where this one ends. Between batches the thread is free for
 * queries.
 */
export async function embedLabels({ store, embedder, busy, onProgress, signal }: EmbedLabelsOptions): Promise<void> {
  const { connection } = store;
  const rewritten = () => connection.prepare('select rewritten from label_changes').pluck().get();
  connection.prepare('delete from label_embeddings where embedder <> ?').run(embedder.hash);
  const select = connection.prepare(
    `select id, text from labels where id > ? and not exists
       (select 1 from label_embeddings where label = labels.id) order by id limit ${labelsPerWrite}`,
  );
  let [last, seen] = [0, rewritten()];
  let progress = readProgress(store);
  onProgress(progress);
  while (!signal.aborted) {
    const pending = select.all(last) as Pending[];
    if (pending.length === 0) {
      await sleep(pollMilliseconds, null, { signal, ref: false }).catch(() => null);
      // Labels that were rewritten lie among those that were passed.
      const now = rewritten();
      if (now !== seen) [last, seen] = [0, now];
      continue;
    }
    const vectors = await embedAll(pending, embedder, busy, signal);
    write(store, embedder.hash, pending, vectors);
    last = pending[vectors.length - 1]?.id ?? last;
    progress =
      pending.length < labelsPerWrite ? readProgress(store) : { ...progress, done: progress.done + vectors.length };
    onProgress(progress);
  }
}

function readProgress({ connection }: Store): LabelProgress {
  const count = (table: string) => Number(connection.prepare(`select count(*) from ${table}`).pluck().get());
  return { done: count('label_embeddings'), total: count('labels') };
}

/** As many as there is time for before the signal. */
async function embedAll(
  pending: readonly Pending[],
  embedder: EmbedLabelsOptions['embedder'],
  busy: () => boolean,
  signal: AbortSignal,
): Promise<Int8Array[]> {
  const vectors: Int8Array[] = [];
  for (let at = 0; at < pending.length && !signal.aborted; at += batchSize) {
    const began = performance.now();
    const batch = await embedder.embed(pending.slice(at, at + batchSize).map(({ text }) => text));
    vectors.push(...batch.map(toEightBits));
    const rest = busy() ? (performance.now() - began) * restPerWork : 0;
    if (rest > 0) await sleep(rest, null, { signal, ref: false }).catch(() => null);
    else await nextTurn();
  }
  return vectors;
}

/** A label that was rewritten meanwhile waits for its next turn. */
function write({ connection }: Store, hash: string, labels: readonly Pending[], vectors: readonly Int8Array[]): void {
  const insert = connection.prepare(
    `insert or ignore into label_embeddings (label, embedder, embedding)
     select id, ?, ? from labels where id = ? and text = ?`,
  );
  const writeAll = connection.transaction(() => {
    for (const [at, vector] of vectors.entries()) {
      const { id, text } = labels[at] as Pending;
      insert.run(hash, Buffer.from(vector.buffer), id, text);
    }
  });
  writeAll.immediate();
}
