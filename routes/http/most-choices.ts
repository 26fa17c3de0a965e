import type { Limits, ModelCard } from '../services.ts';

/** Choices that one request may ask for: more than can run and wait together would be refused whenever it comes. */
export function mostChoices({ maxChoices }: Limits, { capacity }: ModelCard): number {
  return Math.min(maxChoices, capacity.rows + capacity.queueLimit);
}
