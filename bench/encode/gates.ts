import { atMost, type Gate, quietGate } from '../gates.ts';
import { median } from '../statistics.ts';
import type { EncodeResults } from './results.ts';

/** What a dictionary of 4,096 features may add to the prompt. */
const mostAdded = 1.1;
const promisedOutputs = 4096;

export function checkEncode(results: EncodeResults): Gate[] {
  const { encoders, plain, settings } = results;
  const promised = encoders.filter(({ outputs }) => outputs === promisedOutputs);
  return [
    ...promised.map(({ title, seconds }) =>
      atMost(
        `a prompt of ${settings.tokens} tokens with ${title} read, over the same without`,
        median(ratios(seconds, plain)),
        mostAdded,
      ),
    ),
    quietGate(results),
  ];
}

/** Round by round. */
export function ratios(seconds: readonly number[], plain: readonly number[]): number[] {
  return seconds.map((value, round) => value / (plain[round] ?? Number.NaN));
}
