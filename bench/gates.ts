import { quietLimit } from './other-load.ts';
import type { Disturbance } from './results-common.ts';
import { median } from './statistics.ts';

/** A promise about a figure. */
export interface Gate {
  readonly name: string;
  /** Null: this run did not measure it, which fails. */
  readonly value: number | null;
  readonly limit: number;
  /** What we would like; null where nobody has said. */
  readonly reach: number | null;
  readonly atLeast: boolean;
  readonly passed: boolean;
}

export const atLeast = (name: string, value: number | null, limit: number, reach: number | null = null): Gate => ({
  name,
  value,
  limit,
  reach,
  atLeast: true,
  passed: value !== null && value >= limit,
});

export const atMost = (name: string, value: number | null, limit: number, reach: number | null = null): Gate => ({
  name,
  value,
  limit,
  reach,
  atLeast: false,
  passed: value !== null && value <= limit,
});

/** Every comparison wants a quiet machine. */
export function quietGate({ otherLoad }: Disturbance): Gate {
  return atMost('cores that other processes keep busy', median(otherLoad), quietLimit);
}

/** Prints the gates; the exit status is 1 only where they are to be checked and one fails. */
export function reportGates(gates: readonly Gate[], check: boolean): number {
  for (const gate of gates) console.log(gateLine(gate));
  return check && gates.some(({ passed }) => !passed) ? 1 : 0;
}

function gateLine({ name, value, limit, reach, atLeast: above, passed }: Gate): string {
  const wanted = `${above ? 'at least' : 'at most'} ${limit}${reach === null ? '' : `, reach for ${reach}`}`;
  return `${passed ? 'ok    ' : 'FAILED'} ${name}: ${value === null ? 'not measured' : value.toFixed(2)} (${wanted})`;
}
