import { ratios } from '../encode/gates.ts';
import { atMost, type Gate, quietGate } from '../gates.ts';
import { median } from '../statistics.ts';
import type { InterventionResults } from './results.ts';

/** What patching may take of the time of as many whole prompts. */
const mostOfPrefills = 1.3;
const reachedOfPrefills = 0.7;

export function checkInterventions(results: InterventionResults): Gate[] {
  const { settings, patched, prefills } = results;
  const name = `activation patching of ${settings.layers} layers × ${settings.positions} positions, over as many prefills`;
  return [atMost(name, median(ratios(patched, prefills)), mostOfPrefills, reachedOfPrefills), quietGate(results)];
}
