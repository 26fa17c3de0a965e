import type { KnownSource, Store } from '../store/index.ts';
import { openThread, Thread } from '../threads/thread.ts';
import { importLabels, type LabelImport, type LabelImportOptions } from './label-file.ts';
import { type LabelFileCall, labelFileHandlers } from './label-file-handlers.ts';

/** The file before: only one at a time can be written. */
let before: Promise<unknown> = Promise.resolve();

/**
 * `importLabels` on a thread of its own with a connection of its own, which both end with it: the last step writes all lines in one
 * statement, and takes seconds for a hundred thousand of them. The event loop goes on meanwhile; only what writes to the same
 * store waits for that step. Files are read one after the other. A store in memory has no second connection: its labels are read
 * on the caller's thread. Throws like `importLabels`.
 */
export async function importLabelsOnThread(
  store: Store,
  { key, features }: Pick<KnownSource, 'key' | 'features'>,
  chunks: AsyncIterable<Uint8Array>,
  options: LabelImportOptions,
): Promise<LabelImport> {
  const { path } = store;
  if (path === null) return importLabels(store, { key, features }, chunks, options);
  const bytes = await collected(chunks);
  const mine = before.then(() => importOnThread(path, { source: { key, features }, bytes, options }));
  before = mine.catch(() => undefined);
  return mine;
}

async function importOnThread(path: string, call: LabelFileCall): Promise<LabelImport> {
  const thread = new Thread(() =>
    openThread(import.meta.url, 'label-file-worker', path, () => labelFileHandlers(path)),
  );
  try {
    return await thread.call<LabelImport>('import', call);
  } finally {
    await thread.close();
  }
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
