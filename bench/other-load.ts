import { cpus } from 'node:os';

/** Processor seconds that the whole machine has spent on anything so far. */
export function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

/**
 * Cores kept busy by processes that are none of ours. Two threads that wait for each other at every operator lose far more than
 * the share of a core that somebody else takes, and not equally in every engine: a comparison under load is no comparison.
 */
export function otherLoad(busy: number, own: number, seconds: number): number {
  return Math.max(0, busy - own) / seconds;
}

/** Above this many cores a run does not count as quiet. */
export const quietLimit = 0.1;
