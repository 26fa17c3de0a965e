import { atLeast, atMost, type Gate, quietGate } from '../gates.ts';
import { median } from '../statistics.ts';
import type { EnduranceResults } from './results.ts';

/** Resident memory after all variants over that after the first. */
export function variantsRatio({ variants }: EnduranceResults): number {
  return variants.resident[variants.resident.length - 1] / variants.resident[0];
}

/** The slowest step while a variant is built over the median of those without. */
export function buildStall({ builds }: EnduranceResults): number {
  return Math.max(...builds.building) / median(builds.quiet);
}

/** Time a token at the same length: in a long generation over right after a prompt. 1: it slows down by attention's own growth only. */
export function longSlowdown({ long }: EnduranceResults): number {
  return long.longMilliseconds / long.freshMilliseconds;
}

/** Bytes that a long generation came to hold beyond its keys and values, from the end of its first window to that of its last. */
export function longGrowth({ long }: EnduranceResults): number {
  const first = long.windows[0];
  const last = long.windows[long.windows.length - 1];
  return last.resident - first.resident - (last.tokens - first.tokens) * long.keyValueBytesPerToken;
}

export function checkEndurance(results: EnduranceResults): Gate[] {
  const { variants, settings } = results;
  return [
    atMost(
      `resident memory after ${variants.resident.length} variants over one variant's`,
      variantsRatio(results),
      1.5,
      1.3,
    ),
    atLeast('variants built while rows decoded', results.builds.built, 1),
    atMost('slowest step while a variant is built over the median step', buildStall(results), 3),
    atMost(
      `time a token in a generation of ${settings.longTokens} tokens over that after a prompt of the same length`,
      longSlowdown(results),
      1.1,
    ),
    atMost('MB that it holds beyond its keys and values', longGrowth(results) / 1e6, 64),
    quietGate(results),
  ];
}
