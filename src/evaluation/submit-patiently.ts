import { setTimeout as sleep } from 'node:timers/promises';
import { type GenerateRequest, type GenerationEvent, TillerError } from '../../engine/index.ts';
import type { ModelService } from '../../routes/services.ts';

/** Longest wait between two tries, and how many there are: about as long as a request may wait in the queue. */
const longestWaitMilliseconds = 1_000;
const mostTries = 120;

/** The events of a request of long work: where the queue is full it is tried again, for others come before it. */
export async function* submitPatiently(
  submit: ModelService['submit'],
  request: GenerateRequest,
): AsyncGenerator<GenerationEvent> {
  for (let tries = 1; ; tries++) {
    try {
      yield* submit(request);
      return;
    } catch (error) {
      if (!(error instanceof TillerError && error.code === 'queue_full') || tries === mostTries) throw error;
      const asked = 1000 * (error.retryAfterSeconds ?? 1);
      await sleep(Math.min(asked, longestWaitMilliseconds), undefined, { signal: request.signal ?? undefined }).catch(
        (cause: unknown) => {
          throw new TillerError('cancelled', 'The client left before its request was complete.', { cause });
        },
      );
    }
  }
}
