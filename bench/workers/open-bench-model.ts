import { join } from 'node:path';
import { openStore } from '../../sae-registry/index.ts';
import { loadConfig } from '../../src/config.ts';
import { storePath } from '../../src/data-directory.ts';
import { openModel } from '../../src/open-model.ts';
import type { ReadyModel } from '../../src/services.ts';

export interface BenchModelOptions {
  readonly model: string;
  readonly cacheDirectory: string;
  readonly precision: string;
  readonly threads: number;
  readonly rows: number;
  readonly context: number;
  /** Not given: the default. */
  readonly warmUp?: string;
  readonly prefixCacheBytes?: string;
  readonly keyValueBytes?: string;
}

/**
 * A model just as a second start of `tiller serve` would open it with these flags, whatever the environment says: what ships with it is
 * in the store already.
 */
export async function openBenchModel(options: BenchModelOptions): Promise<ReadyModel> {
  const { model, cacheDirectory, precision, threads, rows, context, warmUp, prefixCacheBytes, keyValueBytes } = options;
  const numbers = { threads: String(threads), maxRows: String(rows), context: String(context) };
  const memory = { prefixCacheBytes, keyValueBytes };
  const flags = { model, cacheDir: cacheDirectory, precision, offline: true, warmUp, ...memory, ...numbers };
  const dataDir = join(cacheDirectory, 'bench-data');
  const store = await openStore(storePath({ dataDir }));
  const ready = await openModel(loadConfig({ ...flags, dataDir }, {}), { store });
  const close = async () => {
    await ready.close();
    store.close();
  };
  return { ...ready, close };
}
