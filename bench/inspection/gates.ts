import { atLeast, atMost, type Gate, quietGate } from '../gates.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { InspectionResults } from './results.ts';

/** Throughput of reading over that of plain prompts, round by round. */
export function throughput(plain: readonly number[], seconds: readonly number[]): number {
  return median(pairedRatios(plain, seconds));
}

export function checkInspection(results: InspectionResults): Gate[] {
  const { plain, inspected, without, during, settings } = results;
  const { texts, tokens, streams } = settings;
  return [
    ...inspected.map(({ title, seconds }) =>
      atLeast(
        `throughput of inspecting ${texts} texts of ${tokens} tokens in one call, ${title}, over plain prompts`,
        throughput(plain, seconds),
        0.8,
      ),
    ),
    atMost(
      `ITL p99 of ${streams} streams while texts are inspected, over its value without`,
      median(pairedRatios(during.p99, without.p99)),
      2.5,
    ),
    quietGate(results),
  ];
}
