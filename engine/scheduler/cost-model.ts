/**
 * What a step will take, in milliseconds, learnt from the steps that ran:
 *
 *     prefill   a + b·tokens + c·tokens·past        past: the mean number of tokens that each of them looks back on
 *     decode    a + b·rows   + c·held               held: tokens that the rows hold together
 *     mixed     the decode step's, and for the prompts in it a + b·tokens + c·tokens·past
 *
 * Recursive least squares with forgetting over relative errors, so that short steps count like long ones. One step that
 * took unexpectedly long (the first run of a shape, another process) is held to `largestSurprise`; several in a row that
 * err to the same side are news about the machine, and are learnt from fully.
 */

/** What the cost of a step depends on. */
export type StepShape =
  | ({ readonly kind: 'prefill' } & ChunkShape)
  | DecodeShape
  | { readonly kind: 'mixed'; readonly decode: DecodeShape; readonly prompts: readonly ChunkShape[] };

/** A piece of a prompt. */
export interface ChunkShape {
  readonly tokens: number;
  /** Tokens in the slot before it. */
  readonly start: number;
}

interface DecodeShape {
  readonly kind: 'decode';
  readonly rows: number;
  /** Tokens that the rows hold. */
  readonly held: number;
}

type Triple = readonly [number, number, number];

interface Fit {
  /** Milliseconds for each feature; never negative. */
  readonly coefficients: Triple;
  /** Their covariance in units of the relative error, row by row. */
  readonly covariance: readonly [Triple, Triple, Triple];
  readonly observations: number;
  /** Surprises in a row: positive when steps took longer than predicted. */
  readonly surprises: number;
}

/** Relative errors beyond this are taken for accidents and cut. */
const largestSurprise = 0.5;
/** So many surprises in a row to the same side are none. */
const believedSurprises = 3;
/** Weight of a step relative to the one after it: a memory of about fifty steps. */
const forgetting = 0.98;
/** Variance of a coefficient, relative to its prior, over that of one step's relative error. */
const initialVariance = 100;
/** A step is never predicted to take less, in milliseconds. */
const shortestStep = 0.05;

/**
 * Before anything ran: SmolLM2-135M in float32 on two cores, roughly. Features are scaled so that none is many times
 * another: 64 tokens, 2¹⁶ pairs of tokens; 8 rows, 4,096 tokens held.
 */
const priors: Record<StepShape['kind'], Triple> = { prefill: [20, 58, 16], decode: [20, 12, 6], mixed: [4, 40, 16] };

/** Learns from what steps took, and predicts what one will take. */
export class CostModel {
  readonly #fits: Record<StepShape['kind'], Fit> = {
    prefill: fitOf(priors.prefill),
    decode: fitOf(priors.decode),
    mixed: fitOf(priors.mixed),
  };

  /** Milliseconds, above zero; from the priors alone before any such step ran. */
  predict(shape: StepShape): number {
    return this.#rest(shape) + this.#own(shape);
  }

  /** What prompts add to the step of rows that decode. */
  predictShare(shape: Extract<StepShape, { readonly kind: 'mixed' }>): number {
    return this.#own(shape);
  }

  /** What its kind's own fit says of a step. */
  #own(shape: StepShape): number {
    return Math.max(shortestStep, dot(this.#fits[shape.kind].coefficients, featuresOf(shape)));
  }

  /** The part of a step that is another kind's. */
  #rest(shape: StepShape): number {
    return shape.kind === 'mixed' && shape.decode.rows > 0 ? this.predict(shape.decode) : 0;
  }

  /** Whether a step of this kind has been observed. */
  knows(kind: StepShape['kind']): boolean {
    return this.#fits[kind].observations > 0;
  }

  observe(shape: StepShape, milliseconds: number): void {
    if (!(milliseconds > 0 && Number.isFinite(milliseconds))) return;
    const own = Math.max(shortestStep, milliseconds - this.#rest(shape));
    this.#fits[shape.kind] = learn(
      this.#fits[shape.kind],
      featuresOf(shape),
      own,
      this.#own(shape),
      priors[shape.kind],
    );
  }
}

function featuresOf(shape: StepShape): Triple {
  if (shape.kind === 'decode') return [1, shape.rows / 8, shape.held / 4096];
  const chunks = shape.kind === 'mixed' ? shape.prompts : [shape];
  const sum = (of: (chunk: ChunkShape) => number) => chunks.reduce((total, chunk) => total + of(chunk), 0);
  const pairs = sum(({ tokens, start }) => tokens * (start + tokens / 2));
  return [1, sum(({ tokens }) => tokens) / 64, pairs / 65_536];
}

function fitOf(prior: Triple): Fit {
  return { coefficients: prior, covariance: initialCovariance(prior), observations: 0, surprises: 0 };
}

function initialCovariance([a, b, c]: Triple): Fit['covariance'] {
  const variance = (coefficient: number) => initialVariance * coefficient * coefficient;
  return [
    [variance(a), 0, 0],
    [0, variance(b), 0],
    [0, 0, variance(c)],
  ];
}

function learn(fit: Fit, features: Triple, milliseconds: number, predicted: number, prior: Triple): Fit {
  const error = (milliseconds - predicted) / predicted;
  const surprises = Math.abs(error) > largestSurprise ? Math.sign(error) + keepSign(fit.surprises, error) : 0;
  if (Math.abs(surprises) >= believedSurprises) return rescale(fit, features, milliseconds, predicted, prior);
  const step = Math.max(-largestSurprise, Math.min(largestSurprise, error));
  return { ...leastSquares(fit, features, predicted, step, prior), observations: fit.observations + 1, surprises };
}

/** The machine is another than it was: everything takes so many times as long, and is to be learnt anew from there. */
function rescale(fit: Fit, features: Triple, milliseconds: number, predicted: number, prior: Triple): Fit {
  const of = (values: Triple, scale: number) => values.map((value) => value * scale) as unknown as Triple;
  const coefficients = of(fit.coefficients, milliseconds / predicted);
  const likely = of(prior, milliseconds / dot(prior, features));
  const spread = coefficients.map((value, at) => Math.max(value, likely[at] as number)) as unknown as Triple;
  return { coefficients, covariance: initialCovariance(spread), observations: fit.observations + 1, surprises: 0 };
}

/** One step of recursive least squares on features and target divided by what was predicted. */
function leastSquares(
  { coefficients, covariance }: Fit,
  features: Triple,
  predicted: number,
  error: number,
  prior: Triple,
): Pick<Fit, 'coefficients' | 'covariance'> {
  const x = features.map((feature) => feature / predicted) as unknown as Triple;
  const px: Triple = [dot(covariance[0], x), dot(covariance[1], x), dot(covariance[2], x)];
  const norm = forgetting + dot(px, x);
  const gain = px.map((value) => value / norm) as unknown as Triple;
  // no forgetting of directions about which nothing is heard: their variance would grow without end
  const known = (at: 0 | 1 | 2) => covariance[at][at] < initialVariance * prior[at] ** 2;
  const weight = known(0) && known(1) && known(2) ? 1 / forgetting : 1;
  const row = (at: 0 | 1 | 2): Triple => {
    const column = (to: 0 | 1 | 2) => (covariance[at][to] - gain[at] * px[to]) * weight;
    return [column(0), column(1), column(2)];
  };
  return {
    coefficients: coefficients.map((value, at) =>
      Math.max(0, value + (gain[at] as number) * error),
    ) as unknown as Triple,
    covariance: [row(0), row(1), row(2)],
  };
}

function keepSign(surprises: number, error: number): number {
  return Math.sign(surprises) === Math.sign(error) ? surprises : 0;
}

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
