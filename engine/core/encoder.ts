/** What becomes of an encoder's sums p of one token. */
export type EncoderRule =
  /** Active where p exceeds the output's threshold (0 or more; Infinity: never), with the value p. `thresholds` [outputs]. */
  | { readonly kind: 'threshold'; readonly thresholds: Float32Array }
  /** The `count` largest p, of equal ones those of lower indices; `rectified`: without those that are not above 0. */
  | { readonly kind: 'largest'; readonly count: number; readonly rectified: boolean }
  /** The largest p of each of `count` equal runs of outputs, where it is above 0. */
  | { readonly kind: 'largest_of_runs'; readonly count: number };

/** What is done to a token's values x before the matrix: scale·(x − mean where centred)/norm − bias. */
export interface EncoderInput {
  readonly scale: number;
  /** Whether x's mean is taken off; it always is where the norm is the deviation. */
  readonly centred: boolean;
  /** What it is divided by: nothing; √(mean square); the (unbiased) standard deviation + epsilon. */
  readonly norm: 'none' | 'root_mean_square' | 'deviation';
  readonly epsilon: number;
  /** [width]; null: nothing is taken off. */
  readonly bias: Float32Array | null;
}

/**
 * Very many directions that are read at once at one hook point: p = (input·row + bias)·factor for each output, and which of them are
 * active. Plain arrays: the engine does not know what its outputs are called.
 */
export interface Encoder {
  /** Equal keys are equal encoders: their arrays are held once. */
  readonly key: string;
  /** Hook point, canonical spelling; `width` is that of its values. */
  readonly hookPoint: string;
  readonly width: number;
  readonly outputs: number;
  readonly input: EncoderInput;
  /** Rows `first` to `first + count` of the matrix, [count, width]; not to be written to, not kept. */
  rows(first: number, count: number): Float32Array;
  /** How many rows are best asked for at a time. */
  readonly piece: number;
  /** [outputs] */
  readonly bias: Float32Array;
  /** [outputs]; null: ones. */
  readonly factors: Float32Array | null;
  readonly rule: EncoderRule;
}

/** An encoder at work on a request. */
export interface Encoding {
  readonly encoder: Encoder;
  /** Most activations that are told of a token: of more the largest, and how many there were. */
  readonly limit: number;
}

/** What an encoder found on some tokens, token by token: those of token t lie from `offsets[t]` to `offsets[t + 1]`, by ascending index. */
export interface SparseActivations {
  readonly tokens: number;
  /** [tokens + 1] */
  readonly offsets: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
  /** How many outputs are active on each token; where these are more than are told, the others were left out. */
  readonly active: Uint32Array;
  /** ‖x‖ of each token at the hook point, before any edit there. */
  readonly norms: Float32Array;
}

/** Tokens of which not everything that is active is told. */
export function truncatedTokens({ tokens, offsets, active }: SparseActivations): number {
  let count = 0;
  for (let t = 0; t < tokens; t++) {
    count += Number((active[t] as number) > (offsets[t + 1] as number) - (offsets[t] as number));
  }
  return count;
}

/** Tokens `from` and on; a view. */
export function activationsFrom(activations: SparseActivations, from: number): SparseActivations {
  if (from === 0) return activations;
  const first = activations.offsets[from] as number;
  return {
    tokens: activations.tokens - from,
    offsets: activations.offsets.subarray(from).map((offset) => offset - first),
    indices: activations.indices.subarray(first),
    values: activations.values.subarray(first),
    active: activations.active.subarray(from),
    norms: activations.norms.subarray(from),
  };
}

/** One after the other. */
export function concatenateActivations(parts: readonly SparseActivations[]): SparseActivations {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const sum = (of: (part: SparseActivations) => number) => parts.reduce((total, part) => total + of(part), 0);
  const tokens = sum((part) => part.tokens);
  const told = sum((part) => part.indices.length);
  const whole = {
    tokens,
    offsets: new Uint32Array(tokens + 1),
    indices: new Uint32Array(told),
    values: new Float32Array(told),
    active: new Uint32Array(tokens),
    norms: new Float32Array(tokens),
  };
  let [at, first] = [0, 0];
  for (const part of parts) {
    for (let t = 0; t < part.tokens; t++) whole.offsets[at + t + 1] = first + (part.offsets[t + 1] as number);
    whole.indices.set(part.indices, first);
    whole.values.set(part.values, first);
    whole.active.set(part.active, at);
    whole.norms.set(part.norms, at);
    at += part.tokens;
    first += part.indices.length;
  }
  return whole;
}
