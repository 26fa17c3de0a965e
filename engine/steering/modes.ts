import type { SteeringMode } from '../core/steering.ts';

/** u = clip(beta + gamma·f, low, high). */
export interface Coefficient {
  readonly beta: number;
  readonly gamma: number;
  readonly low: number;
  readonly high: number;
}

export interface ModeRow {
  /** Whether the coefficient depends on what is read (γ ≠ 0 but for neutral factors). */
  readonly reads: boolean;
  /** θ = −∞ whatever the target's own threshold: f = a. */
  readonly linear: boolean;
  /** Reads and writes the unit decoder row of a feature instead of its encoder and decoder rows. */
  readonly alongDecoder: boolean;
  /** Whether the number is an amount of activation or stream (units apply), a plain factor, or absent. */
  readonly number: 'amount' | 'factor' | 'none';
  /** The coefficient from the raw number n and the product read·write (e·d). */
  readonly coefficient: (n: number, readDotWrite: number) => Coefficient;
}

const unclipped = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
const plain = { reads: true, linear: false, alongDecoder: false } as const;

/**
 * The mode table of the one steering arithmetic (engine/core/edit.ts): each mode as β, γ, lo, hi and how it reads.
 * For a vector e = d = the unit vector and θ = −∞ in every mode that reads.
 *
 * | mode       | β       | γ        | lo, hi | source                                            |
 * |------------|---------|----------|--------|---------------------------------------------------|
 * | add        | s       | 0        |        | Goodfire nudge, Neuronpedia SIMPLE_ADDITIVE       |
 * | set        | v       | −1       |        | Goodfire pin; clamp of Scaling Monosemanticity    |
 * | pin        | v/(e·d) | −1/(e·d) |        | solves for a reading of exactly v; θ = −∞         |
 * | scale      | 0       | m−1      |        | Goodfire mul                                      |
 * | ablate     | 0       | −1       |        | set to 0; of a vector, Arditi et al. 2024         |
 * | floor, cap | v       | −1       | 0 / 0  | Neuronpedia PROJECTION_CAP                        |
 * | orthogonal | 0       | c−1      |        | Neuronpedia ORTHOGONAL_DECOMP; unit row, θ = −∞   |
 */
export const modeTable: Readonly<Record<SteeringMode, ModeRow>> = {
  add: { ...plain, reads: false, number: 'amount', coefficient: (s) => ({ beta: s, gamma: 0, ...unclipped }) },
  set: { ...plain, number: 'amount', coefficient: (v) => ({ beta: v, gamma: -1, ...unclipped }) },
  pin: {
    ...plain,
    linear: true,
    number: 'amount',
    coefficient: (v, dot) => ({ beta: v / dot, gamma: -1 / dot, ...unclipped }),
  },
  scale: { ...plain, number: 'factor', coefficient: (m) => ({ beta: 0, gamma: m - 1, ...unclipped }) },
  ablate: { ...plain, number: 'none', coefficient: () => ({ beta: 0, gamma: -1, ...unclipped }) },
  floor: { ...plain, number: 'amount', coefficient: (v) => ({ beta: v, gamma: -1, ...unclipped, low: 0 }) },
  cap: { ...plain, number: 'amount', coefficient: (v) => ({ beta: v, gamma: -1, ...unclipped, high: 0 }) },
  orthogonal: {
    ...plain,
    linear: true,
    alongDecoder: true,
    number: 'factor',
    coefficient: (c) => ({ beta: 0, gamma: c - 1, ...unclipped }),
  },
};

/** Below this |e·d| a pin is refused: the write would be more than 20 times the change of the reading. */
export const smallestPinProduct = 0.05;
