/** Tokens on which two features have to fire together before that counts as more than chance. */
export const leastTogether = 3;

/** Another feature that fires where one does. Counts are of tokens. */
export interface Cofiring {
  readonly index: number;
  /** On which both fire. */
  readonly together: number;
  /** On which the other one fires. */
  readonly fired: number;
}

/**
 * How often two features fire on the same token: the cosine of their firing, each a row of zeros and ones over the tokens,
 * together / √(fired · other's fired) (Ochiai's coefficient). 1: on the same tokens and no others.
 */
export function firingCosine(together: number, fired: number, otherFired: number): number {
  return together === 0 ? 0 : together / Math.sqrt(fired * otherFired);
}
