import { atMost, type Gate } from '../gates.ts';
import { median } from '../statistics.ts';
import type { StartupResults } from './results.ts';

export const startSecondsLimit = 6;
export const memoryRatioLimit = 2.6;

/** Resident memory without keys and values, over the float32 weights. */
export function memoryRatio(results: StartupResults, when: 'loaded' | 'busy'): number {
  const ratios = results.memory[when].map(
    ({ resident, keyValue }) => (resident - keyValue) / results.float32WeightBytes,
  );
  return median(ratios);
}

/** The most that any start needed until it was ready, in bytes; null where the platform does not tell. */
export function loadingPeak({ memory }: StartupResults): number | null {
  const peaks = memory.loaded.map(({ peak }) => peak).filter((peak) => peak !== null);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

export function checkStartup(results: StartupResults): Gate[] {
  const peak = loadingPeak(results);
  const peaks = peak === null ? [] : [peak / results.float32WeightBytes];
  return [
    atMost('seconds from start to first token', median(results.afterReady.firstToken), startSecondsLimit),
    ...peaks.map((peak) =>
      atMost('largest resident memory while loading over float32 weights', peak, memoryRatioLimit),
    ),
    atMost(
      'resident memory without keys and values over float32 weights, loaded',
      memoryRatio(results, 'loaded'),
      memoryRatioLimit,
    ),
    atMost(
      'resident memory without keys and values over float32 weights, busy',
      memoryRatio(results, 'busy'),
      memoryRatioLimit,
    ),
  ];
}
