import { type AcquiredModel, type AcquireOptions, acquireModel } from '../engine/checkpoint/acquire/index.ts';
import type { Config } from './config.ts';

/** acquireModel with what the configuration says about cache, network and Hub. */
export function getModelFiles(
  config: Config,
  options: Pick<AcquireOptions, 'onProgress' | 'onNotice' | 'signal' | 'verify'> & {
    /** Default: the configured model. */
    readonly model?: string;
    readonly acquire?: typeof acquireModel;
  } = {},
): Promise<AcquiredModel> {
  const { model = config.model, acquire = acquireModel, ...rest } = options;
  return acquire(model, {
    ...rest,
    cacheDirectory: config.cacheDir,
    offline: config.offline,
    hub: config.hub,
    childEnvironment: config.childEnvironment,
  });
}
