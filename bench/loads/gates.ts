import { atMost, type Gate, quietGate } from '../gates.ts';
import { median } from '../statistics.ts';
import type { LoadsResults } from './results.ts';

export function checkLoads(results: LoadsResults): Gate[] {
  return [
    ...results.loads.map(({ title, precision, limit, seconds }) =>
      atMost(`seconds to load ${title} in ${precision}, prepared`, median(seconds), limit),
    ),
    quietGate(results),
  ];
}
