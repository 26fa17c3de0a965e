import {
  type Engine,
  hookPointShapes,
  hookPointWidth,
  type ModelConfig,
  patchActivations,
  patchedTokens,
  TillerError,
  tappedPlaces,
} from '../../engine/index.ts';
import type { ActivationPatching, ActivationPatchingRequest } from '../../routes/services.ts';
import { OneAtATime } from '../one-at-a-time.ts';

/** Most runs of a request. */
export const mostRuns = 8192;
/** Most tokens that its runs may compute, as many as whole runs of the model would be: minutes on two cores. */
export const mostPatchedTokens = 262_144;
/** Most bytes of both prompts' activations that are held meanwhile. */
export const mostTappedBytes = 256 * 2 ** 20;
/** Requests that may wait for the one that runs. */
const mostWaiting = 4;
/** Positions at the end of the context that a patched prompt leaves free: what is kept of it is whole blocks. */
const spareTokens = 16;

let requests = 0;

/** `InterventionService.patchActivations` over a model: one request at a time, whose runs take turns with everybody else's. */
export function activationPatching(
  engine: Engine,
  config: ModelConfig,
  context: number,
): (request: ActivationPatchingRequest) => Promise<ActivationPatching> {
  const turns = new OneAtATime(mostWaiting);
  return async (request) => {
    const { signal, ...rest } = request;
    const shapes = hookPointShapes(config);
    refuseUnequal(rest);
    refuseTooMuch(rest, config.blocks, context, (name) => hookPointWidth(shapes, name) ?? config.dModel);
    const id = `patching-${++requests}`;
    return turns.run(() => patchActivations(engine, { ...rest, id, blocks: config.blocks, signal }), signal);
  };
}

type Work = Omit<ActivationPatchingRequest, 'signal'>;

function refuseUnequal({ clean, corrupted }: Work): void {
  if (clean.length === corrupted.length) return;
  const message =
    `The clean prompt has ${clean.length} tokens and the corrupted one ${corrupted.length}: what stands at a position of the one ` +
    'belongs to the same position of the other. Give two of equal length.';
  throw new TillerError('invalid_request', message, { param: 'corrupted' });
}

/** Before anything is computed, with the estimate and the limit. */
function refuseTooMuch(
  { corrupted, hookPoints, positions }: Work,
  blocks: number,
  context: number,
  widthOf: (hookPoint: string) => number,
): void {
  const runs = hookPoints.length * positions.length;
  const wayOut = 'Name fewer layers or positions.';
  const refuse = (message: string): never => {
    throw new TillerError('invalid_request', `${message} ${wayOut}`, { param: 'positions' });
  };
  if (corrupted.length > context - spareTokens) {
    const message = `A patched prompt may have ${context - spareTokens} tokens, and these have ${corrupted.length}: shorten them.`;
    throw new TillerError('context_length_exceeded', message, { param: 'corrupted' });
  }
  if (runs > mostRuns) {
    refuse(
      `${hookPoints.length} hook points at ${positions.length} positions are ${runs} runs; ${mostRuns} can be made.`,
    );
  }
  const tokens = Math.ceil(patchedTokens({ hookPoints, positions, blocks, length: corrupted.length }));
  if (tokens > mostPatchedTokens) {
    const estimate = `The ${runs} runs would compute about ${tokens} tokens`;
    refuse(`${estimate} (a part of the model's blocks counted as a part of one); the limit is ${mostPatchedTokens}.`);
  }
  const width = tappedPlaces(hookPoints, blocks).reduce((sum, name) => sum + widthOf(name), 0);
  const bytes = 2 * 4 * width * corrupted.length;
  if (bytes > mostTappedBytes) {
    const megabytes = (count: number) => `${Math.round(count / 1e6)} MB`;
    refuse(`The prompts' activations would take ${megabytes(bytes)}; ${megabytes(mostTappedBytes)} can be held.`);
  }
}
