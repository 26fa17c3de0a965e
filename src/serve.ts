import { TillerError } from '../engine/core/index.ts';
import type { Config } from './config.ts';

/** Serves until it is told to stop. Placeholder until the engine is wired. */
export function runServe(_config: Config): Promise<void> {
  return Promise.reject(new TillerError('not_ready', 'tiller serve is not wired yet.'));
}
