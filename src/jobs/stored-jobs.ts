import {
  type BackgroundJob,
  cancelBackgroundJob,
  listBackgroundJobs,
  openStore,
  readBackgroundJob,
  type Store,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { storePath } from '../data-directory.ts';

/** What commands do with jobs without any model: the service that runs them sees it. */

/** Newest first. */
export function listStoredJobs(config: Config): Promise<readonly BackgroundJob[]> {
  return withStore(config, (store) => listBackgroundJobs(store));
}

/** Throws `job_not_found`. */
export function readStoredJob(config: Config, id: string): Promise<BackgroundJob> {
  return withStore(config, (store) => readBackgroundJob(store, id));
}

/** Throws `job_not_found`. */
export function cancelStoredJob(config: Config, id: string): Promise<BackgroundJob> {
  return withStore(config, (store) => cancelBackgroundJob(store, id));
}

async function withStore<T>(config: Config, work: (store: Store) => T): Promise<T> {
  const store = await openStore(storePath(config));
  try {
    return work(store);
  } finally {
    store.close();
  }
}
