import { atLeast, atMost, type Gate } from '../gates.ts';
import type { ContrastResults } from './results.ts';

/** Held-out AUROC of the first method on a set; the bag of words stands beside it. */
const leastAuroc = 0.9;
/** Standard deviations that steering moves the probe's score of fresh replies. */
const leastChange = 1;
export const perplexityLimit = 1.5;
/** And that other unsteered replies may move it by chance. */
const mostControlChange = 0.5;

export function checkContrast({ sets }: ContrastResults): Gate[] {
  return sets.flatMap(({ name, methods: [first], fresh }) => [
    atLeast(`${name}: held-out AUROC`, first?.heldOut.auroc ?? null, leastAuroc),
    atLeast(`${name}: change of the probe on fresh replies, deviations`, fresh && Math.abs(fresh.change), leastChange),
    atMost(
      `${name}: perplexity of those under the unsteered model, ratio`,
      fresh?.perplexityRatio ?? null,
      perplexityLimit,
    ),
    atMost(
      `${name}: change of the probe on other unsteered replies, deviations`,
      fresh && Math.abs(fresh.controlChange),
      mostControlChange,
    ),
  ]);
}
