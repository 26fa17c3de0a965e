import { TillerError } from './core/errors.ts';
import type { GenerateRequest } from './core/request.ts';

/** The longest delay that setTimeout takes, in milliseconds. */
export const longestTimer = 2 ** 31 - 1;

/** Why a caller's request must end, if it must. */
export function callerEnding(
  { signal, deadline }: Pick<GenerateRequest, 'signal' | 'deadline'>,
  now: number,
): { readonly outcome: 'cancelled' | 'deadline'; readonly error: TillerError } | null {
  if (signal?.aborted) {
    return { outcome: 'cancelled', error: new TillerError('cancelled', 'The request was cancelled by its caller.') };
  }
  if (deadline !== null && now >= deadline) {
    const message = 'The deadline passed before the reply was complete. Ask for fewer tokens, or allow more time.';
    return { outcome: 'deadline', error: new TillerError('deadline_exceeded', message) };
  }
  return null;
}

/**
 * Calls `look` when the caller's signal aborts, and from the deadline on until released.
 * @returns lets go of the signal and the timer
 */
export function watchCaller(
  { signal, deadline }: Pick<GenerateRequest, 'signal' | 'deadline'>,
  now: () => number,
  look: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  // armed again after it fires: a timer may come early, and it is cut off at the longest delay
  const arm = (at: number) => {
    const fire = () => {
      arm(at);
      look();
    };
    timer = setTimeout(fire, Math.min(Math.max(1, at - now()), longestTimer)).unref();
  };
  signal?.addEventListener('abort', look, { once: true });
  if (deadline !== null) arm(deadline);
  return () => {
    signal?.removeEventListener('abort', look);
    clearTimeout(timer);
  };
}
