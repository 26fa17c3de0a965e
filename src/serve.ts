import { askForShortSlices, TillerError } from '../engine/index.ts';
import { FeatureSearch, openStore } from '../sae-registry/index.ts';
import { createApp } from './app.ts';
import { createProgressDisplay } from './cli/progress-display.ts';
import type { Config } from './config.ts';
import { storePath } from './data-directory.ts';
import { explainLimits } from './limits.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics/create-metrics.ts';
import { createModelPool } from './models/create-model-pool.ts';
import { measureModel, type OpenModelOptions, openModel } from './open-model.ts';
import { prepareEmbedder } from './prepare-embedder.ts';
import { refuseUnknownProfile } from './profiles/start-profile.ts';
import { listen } from './server.ts';
import { AppServices, limitsOf, type ReadyModel } from './services.ts';
import { shutDown, shutDownOnSignals } from './shutdown.ts';
import { readVersion } from './version.ts';
import { welcome } from './welcome.ts';

/**
 * Serves until it is told to stop. The port answers at once (`/readyz` says 503 until the model is there); meanwhile the
 * model is fetched and loaded. A model that cannot be loaded ends the process with its reason.
 */
export async function runServe(config: Config): Promise<void> {
  const log = createLogger(config.logLevel);
  log.debug({ taken: askForShortSlices() }, 'short slices for the event loop');
  const store = await openStore(storePath(config));
  if (config.profile !== null) refuseUnknownProfile(store, config.profile);
  if (store.backup !== null) log.info({ backup: store.backup }, 'the store was migrated; the file as it was is kept');
  const search = new FeatureSearch(storePath(config));
  const metrics = createMetrics(() => pool.loaded().map(({ model }) => model));
  const services = new AppServices({
    version: readVersion(),
    limits: limitsOf(config),
    metrics: metrics.services,
    store,
    search,
    dataDir: config.dataDir,
    profile: config.profile,
    requests: (id) => metrics.of(id).requests,
    unexpected: (error, { requestId, route }) => log.error({ err: error, requestId, route }, 'unexpected error'),
  });
  const display = createProgressDisplay(process.stderr);
  let ready: ReadyModel | undefined;
  // progress is drawn for whoever waits at the start; what is loaded later is told to the log
  const told = (): OpenModelOptions =>
    ready ? { onNotice: (line) => log.warn(line) } : { onProgress: display.onProgress, onNotice: display.onNotice };
  const observe = (id: string) => metrics.of(id).observer;
  const pool = await createModelPool(config, {
    open: async (one, signal) => {
      const model = await openModel(one, { ...told(), signal, observe, store });
      try {
        return services.served(model);
      } catch (error) {
        await model.close();
        throw error;
      }
    },
    measure: (one, signal) => measureModel(one, { ...told(), signal }),
    onChange: ({ model, state, reason }) => log.info({ model, reason }, state),
  });
  services.offer(pool);
  const server = await listen({ app: createApp(services), host: config.host, port: config.port });
  const loading = new AbortController();
  let stopped: () => void = () => {};
  const untilStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  shutDownOnSignals({
    signals: process,
    shutDown: async (signal) => {
      log.info({ signal, inFlight: server.inFlight() }, 'shutting down');
      services.stopping = true;
      loading.abort(new Error(`stopped by ${signal}`));
      pool.stopLoading();
      // its requests would be waited for; it goes on at the next start
      await services.stopJobs();
      const drain = async (milliseconds: number) => {
        await Promise.all(pool.loaded().map(({ model }) => model.engine.drain(milliseconds)));
      };
      const how = await shutDown({ server, drain, deadlineMilliseconds: config.drainSeconds * 1000 });
      log.info({ how }, 'stopped');
      return how;
    },
    exit: (code) => {
      process.exitCode = code;
      void search.close();
      store.close();
      stopped();
      process.exit();
    },
  });

  const started = performance.now();
  try {
    ready = (await pool.load(pool.list()[0]?.name ?? '', loading.signal)).value?.model;
  } catch (error) {
    if (loading.signal.aborted) return await untilStopped;
    await server.close(0);
    await search.close();
    store.close();
    throw error instanceof TillerError && error.cause instanceof TillerError ? error.cause : error;
  } finally {
    display.stop();
  }
  if (loading.signal.aborted || !ready) return await untilStopped;
  const { limits, capacity } = ready;
  const { kernels } = ready.model;
  if (kernels.library === null) log.warn(`Tiller's own operators are not used, which is slower: ${kernels.reason}`);
  log.info({ ...limits, ...capacity }, `limits: ${explainLimits(config, limits, ready.model.needs.tokenBytes)}`);
  log.info(
    {
      model: ready.id,
      precision: ready.model.precision,
      operators: ready.model.operators,
      url: server.url,
      milliseconds: Math.round(performance.now() - started),
    },
    'ready',
  );
  const busy = () =>
    pool.loaded().some(({ model }) => {
      const { running, waiting } = model.engine.statistics();
      return running + waiting > 0;
    });
  // After the engine: ONNX Runtime keeps one environment a process, and the engine's has the threads.
  void prepareEmbedder({ config, search, log, busy, signal: loading.signal });
  services.startJobs();
  const { id, registry, model } = ready;
  process.stdout.write(welcome(server.url, { id, chats: model.chatTemplate !== null, registry }));
  await untilStopped;
}
