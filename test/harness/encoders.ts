import type { Encoder, EncoderInput, EncoderRule, SparseActivations } from '../../engine/core/index.ts';
import { randomNumbers } from './tiny-model.ts';

/** What is written of a number. */
export type Stored = 'float32' | 'float16' | 'bfloat16';

export interface EncoderCase {
  readonly hookPoint: string;
  readonly width: number;
  readonly outputs: number;
  readonly seed?: number;
  readonly stored?: Stored;
  readonly input?: Partial<EncoderInput>;
  readonly factors?: boolean;
  /** Threshold rules get thresholds that lie around the sums. */
  readonly rule?: Exclude<EncoderRule, { kind: 'threshold' }>;
  /** A divisor of the rows' numbers: with few different ones many sums are equal. */
  readonly steps?: number;
}

export function randomEncoder(how: EncoderCase): Encoder {
  const { hookPoint, width, outputs, seed = 7, stored = 'float32', input, factors = false, rule, steps } = how;
  const next = randomNumbers(seed);
  const cut = (value: number) => rounded(steps ? Math.round(value * steps) / steps : value, stored);
  const rows = Float32Array.from({ length: outputs * width }, () => cut(next()));
  const vector = (length: number, of: () => number) => Float32Array.from({ length }, of);
  return {
    key: `test-${JSON.stringify(how)}`,
    hookPoint,
    width,
    outputs,
    input: { scale: 1, centred: false, norm: 'none', epsilon: 0, bias: null, ...input },
    rows: (first, count) => rows.subarray(first * width, (first + count) * width),
    piece: 48,
    bias: vector(outputs, () => (steps ? 0 : next() * 0.1)),
    factors: factors ? vector(outputs, () => 1 + next() * 0.5) : null,
    rule: rule ?? { kind: 'threshold', thresholds: vector(outputs, () => Math.max(0, next() * 0.8)) },
  };
}

/** To a number that the form has. */
function rounded(value: number, stored: Stored): number {
  const single = Math.fround(value);
  if (stored === 'bfloat16') return new Float32Array(new Uint32Array([bits(single) & 0xffff0000]).buffer)[0] as number;
  if (stored === 'float16') return Math.round(single * 2048) / 2048;
  return single;
}

function bits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] as number;
}

/**
 * p of one token in float64, [outputs]; core/encoder.ts says how. `magnitudes`: the sums of the terms' absolute values, which what
 * float32 rounds is measured by.
 */
export function referenceSums(encoder: Encoder, x: Float32Array, magnitudes = false): Float64Array {
  const absolute = (value: number) => (magnitudes ? Math.abs(value) : value);
  const { input, width, outputs } = encoder;
  const sum = (of: (value: number) => number) => x.reduce((total, value) => total + of(value), 0);
  const mean = input.centred || input.norm === 'deviation' ? sum((value) => value) / width : 0;
  const squares = sum((value) => (value - mean) ** 2);
  const divisors = {
    none: 1,
    root_mean_square: Math.sqrt(squares / width),
    deviation: Math.sqrt(squares / (width - 1)) + input.epsilon,
  };
  const normalised = Array.from(
    x,
    (value, i) => (input.scale * (value - mean)) / divisors[input.norm] - (input.bias?.[i] ?? 0),
  );
  return Float64Array.from({ length: outputs }, (_, j) => {
    const row = encoder.rows(j, 1);
    const dot = normalised.reduce((total, value, i) => total + absolute(value * (row[i] as number)), 0);
    return absolute(dot + absolute(encoder.bias[j] as number)) * absolute(encoder.factors?.[j] ?? 1);
  });
}

/** Which outputs of a token are active, by the rule, in float64. */
export function referenceActive({ rule, outputs }: Encoder, p: Float64Array): Map<number, number> {
  const all = Array.from(p.keys());
  const value = (j: number) => p[j] as number;
  if (rule.kind === 'threshold') {
    return new Map(all.filter((j) => value(j) > (rule.thresholds[j] as number)).map((j) => [j, value(j)]));
  }
  const largest = (of: number[], count: number) => of.sort((a, b) => value(b) - value(a) || a - b).slice(0, count);
  const size = outputs / rule.count;
  const chosen =
    rule.kind === 'largest'
      ? largest(all, rule.count)
      : Array.from({ length: rule.count }, (_, g) => largest(all.slice(g * size, (g + 1) * size), 1)).flat();
  const rectified = rule.kind === 'largest_of_runs' || rule.rectified;
  const kept = chosen.filter((j) => (rectified ? value(j) > 0 : value(j) !== 0)).sort((a, b) => a - b);
  return new Map(kept.map((j) => [j, value(j)]));
}

/** What was told of a token. */
export function toldOf({ offsets, indices, values }: SparseActivations, token: number): Map<number, number> {
  const told = new Map<number, number>();
  for (let at = offsets[token] as number; at < (offsets[token + 1] as number); at++) {
    told.set(indices[at] as number, values[at] as number);
  }
  return told;
}
