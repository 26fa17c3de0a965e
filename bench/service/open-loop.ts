import { setTimeout as delay } from 'node:timers/promises';
import { type StreamTiming, streamCompletion } from '../stream-client.ts';
import { completionBody, type PlannedRequest } from './workload.ts';

/**
 * Sends each request at its time, in seconds from now, whether or not earlier ones are answered: a slow service does not slow its users. Gives
 * what was completed, and the reasons of what was not.
 */
export async function runOpenLoop(
  url: string,
  requests: readonly PlannedRequest[],
  arrivals: readonly number[],
): Promise<{ readonly streams: readonly StreamTiming[]; readonly failures: readonly string[] }> {
  const began = performance.now();
  const ends = await Promise.allSettled(
    requests.map(async (request, i) => {
      await delay(arrivals[i] * 1000 - (performance.now() - began));
      return streamCompletion(`${url}/v1/completions`, completionBody(request));
    }),
  );
  return {
    streams: ends.filter((end) => end.status === 'fulfilled').map(({ value }) => value),
    failures: ends.filter((end) => end.status === 'rejected').map(({ reason }) => String(reason)),
  };
}
