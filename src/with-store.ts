import { openStore, type Store } from '../sae-registry/index.ts';
import type { Config } from './config.ts';
import { storePath } from './data-directory.ts';

/** Opens the configured store for as long as `work` takes. */
export async function withStore<T>(config: Config, work: (store: Store) => T | Promise<T>): Promise<T> {
  const store = await openStore(storePath(config));
  try {
    return await work(store);
  } finally {
    store.close();
  }
}
