import { atLeast, atMost, type Gate, quietGate } from '../gates.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { Follower, PrefixResults } from './results.ts';

/** Tokens that a cache which works in blocks may miss at the end of what is shared. */
const blockSlack = 32;

export function cachedEntry({ cached }: PrefixResults, follower: Follower): PrefixResults['cached'][number] {
  const found = cached.find((entry) => entry.follower === follower);
  if (!found) throw new Error(`'${follower}' was not measured`);
  return found;
}

/** Time to first token over the cold one in the same round, the median. */
export function ttftRatio(results: PrefixResults, follower: Follower): number {
  return median(pairedRatios(cachedEntry(results, follower).ttft, results.cold));
}

export function checkPrefix(results: PrefixResults): Gate[] {
  const { prefixTokens } = results.settings;
  const tokens = (follower: Follower) => cachedEntry(results, follower).cachedTokens;
  const shares = (follower: Follower, atMostShared: number) =>
    atLeast(`tokens shared: ${follower}`, Math.min(...tokens(follower)), atMostShared - blockSlack);
  const differs = (follower: Follower) => atMost(`tokens shared: ${follower}`, Math.max(...tokens(follower)), 0);
  return [
    atMost(
      `TTFT with ${prefixTokens} tokens cached over cold`,
      ttftRatio(results, 'unsteered after unsteered'),
      1 / 5,
      1 / 20,
    ),
    shares('unsteered after unsteered', prefixTokens),
    shares('steered while generating only, after unsteered', prefixTokens),
    shares('steered from the middle on, after unsteered', prefixTokens >> 1),
    atMost(
      'tokens shared beyond the first steered one',
      Math.max(...tokens('steered from the middle on, after unsteered')),
      prefixTokens >> 1,
    ),
    differs('steered by A, after unsteered'),
    shares('steered by A, after A', prefixTokens),
    differs('steered by B, after A'),
    shares('unsteered after A', prefixTokens),
    quietGate(results),
  ];
}
