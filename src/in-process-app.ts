import { openStore } from '../sae-registry/index.ts';
import { type App, createApp } from './app.ts';
import { createProgressDisplay } from './cli/progress-display.ts';
import { type Config, theModel } from './config.ts';
import { storePath } from './data-directory.ts';
import { createMetrics } from './metrics/create-metrics.ts';
import { openModel } from './open-model.ts';
import { AppServices, limitsOf, type ReadyModel } from './services.ts';
import { readVersion } from './version.ts';

/** Opens the model and the routes that a client would call, without a port, for as long as `work` takes. */
export async function withInProcessApp<Result>(
  config: Config,
  work: (app: App, ready: ReadyModel) => Promise<Result>,
): Promise<Result> {
  theModel(config);
  const store = await openStore(storePath(config));
  try {
    const display = createProgressDisplay(process.stderr);
    const opened = openModel({ ...config, maxRows: config.maxRows ?? 2, warmUp: 'none' }, { ...display, store });
    const ready = await opened.finally(display.stop);
    try {
      const metrics = createMetrics(() => [ready]).services;
      const services = new AppServices({ version: readVersion(), limits: limitsOf(config), metrics, store });
      services.serve(ready);
      return await work(createApp(services), ready);
    } finally {
      await ready.close();
    }
  } finally {
    store.close();
  }
}
