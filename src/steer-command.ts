import { TillerError } from '../engine/core/index.ts';
import type { SteerRequest, SteerResult } from './cli/steer-result.ts';
import type { Config } from './config.ts';

/** Generates the same reply twice, without and with the edits. Placeholder until the engine is wired. */
export function runSteer(_config: Config, _request: SteerRequest): Promise<SteerResult> {
  return Promise.reject(new TillerError('not_ready', 'tiller steer is not wired yet.'));
}
