import { type KnownSource, openStore } from '../store/index.ts';
import type { Handlers } from '../threads/calls.ts';
import { importLabels, type LabelImportOptions } from './label-file.ts';

/** Bytes that are read at a time. */
const pieceBytes = 65_536;

export interface LabelFileCall {
  readonly source: Pick<KnownSource, 'key' | 'features'>;
  /** The whole file. */
  readonly bytes: Uint8Array;
  readonly options: LabelImportOptions;
}

/** What the thread that reads label files does. @param storePath the store's file */
export function labelFileHandlers(storePath: string) {
  const handlers = {
    import: async ({ source, bytes, options }: LabelFileCall) => {
      const store = await openStore(storePath);
      try {
        return await importLabels(store, source, pieces(bytes), options);
      } finally {
        store.close();
      }
    },
  } satisfies Handlers;
  return { handlers, close: () => undefined };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
