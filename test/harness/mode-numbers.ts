import type { SteeringMode } from '../../engine/core/index.ts';

/** A number that makes the mode write on some tokens and, where it clips, not on others. */
export const modeNumbers: Readonly<Record<SteeringMode, number | null>> = {
  add: 0.7,
  set: 1.3,
  pin: -0.9,
  floor: 0.4,
  cap: 0.4,
  scale: 2.5,
  orthogonal: 0.3,
  ablate: null,
};
