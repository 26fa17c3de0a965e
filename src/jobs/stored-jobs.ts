import {
  type BackgroundJob,
  cancelBackgroundJob,
  listBackgroundJobs,
  readBackgroundJob,
} from '../../sae-registry/index.ts';
import type { Config } from '../config.ts';
import { withStore } from '../with-store.ts';

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
