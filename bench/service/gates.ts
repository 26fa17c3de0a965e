import { atLeast, atMost, type Gate, quietGate } from '../gates.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { ServiceResults } from './results.ts';

/** What is left over HTTP of the engine's throughput: the median over the rounds. */
export function httpShare({ closedBatch }: ServiceResults): number {
  return median(pairedRatios(closedBatch.http, closedBatch.engine));
}

export function checkService(results: ServiceResults): Gate[] {
  const { closedBatch, openLoop } = results;
  const { streams } = closedBatch;
  return [
    atLeast(`HTTP and SSE at ${streams} streams over the bare loop`, httpShare(results), 0.9, 0.97),
    atMost(`event-loop delay p99 at ${streams} streams, ms`, 1000 * median(closedBatch.eventLoopDelayP99), 10),
    atMost(
      'failed requests of the open loop',
      openLoop.runs.reduce((sum, { figures }) => sum + figures.failed, 0),
      0,
    ),
    quietGate(results),
  ];
}
