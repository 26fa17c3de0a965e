import { atMost, type Gate, quietGate } from '../gates.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { StarvationResults } from './results.ts';

/** How much longer than usual the streams wait for their slowest hundredth of tokens: the median over the rounds. */
export function slowdown({ during, without }: StarvationResults): number {
  return median(pairedRatios(during.p99, without.median));
}

export function checkStarvation(results: StarvationResults): Gate[] {
  const { streams, promptTokens } = results.settings;
  const name = `ITL p99 of ${streams} streams while a prompt of ${promptTokens} tokens is read, over their median without it`;
  return [atMost(name, slowdown(results), 3, 2), quietGate(results)];
}
