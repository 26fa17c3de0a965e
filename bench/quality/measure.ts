import type { Executor } from '../../engine/index.ts';
import { DistributionComparison, type DistributionSummary, distributionOf } from './distributions.ts';
import { FeatureComparison, type FeatureSummary, StreamComparison, type StreamSummary } from './features.ts';
import { readWindow, type WindowStep } from './read-window.ts';

/** A model in one precision. */
export interface PrecisionModel {
  readonly precision: string;
  readonly executor: Executor;
}

/** The dictionary whose features are compared. */
export interface MeasuredSource {
  readonly hookPoint: string;
  readonly dIn: number;
  readonly features: number;
  encode(stream: Float32Array): Float32Array;
  /** Positions whose stream is longer are attention sinks and left out, as steering leaves them alone; +∞ for none. */
  readonly sinkNorm: number;
}

export interface QualityOptions {
  /** What the others are compared with. */
  readonly reference: PrecisionModel;
  /** May hold the reference itself: then it must agree with itself. */
  readonly models: readonly PrecisionModel[];
  /** Token ids, each window read with nothing before it. */
  readonly windows: readonly Int32Array[];
  readonly source: MeasuredSource;
  readonly vocabularySize: number;
  /** Tokens at the beginning of the first window that are read once more, one a step. */
  readonly oneByOne: number;
  readonly onProgress?: (tokens: number, total: number) => void;
}

export interface PrecisionQuality {
  readonly precision: string;
  /** Prompts: many tokens a step. */
  readonly prompt: DistributionSummary;
  /** One token a step, as replies are generated, against f32's prompt steps. */
  readonly oneByOne: DistributionSummary;
  /** One token a step against prompt steps of the same precision: whether a reply is computed as a prompt is. */
  readonly ownPath: DistributionSummary;
  readonly features: FeatureSummary;
  readonly stream: StreamSummary;
}

export interface Quality {
  readonly precisions: readonly PrecisionQuality[];
  /** Positions at which features and streams were compared: neither a window's first nor an attention sink. */
  readonly featurePositions: number;
}

/** Room for the probabilities of one position, used again and again. */
interface Room {
  readonly expected: Float64Array;
  readonly other: Float64Array;
}

/** Comparisons of one precision that grow step by step. */
interface Comparison {
  readonly model: PrecisionModel;
  readonly prompt: DistributionComparison;
  readonly oneByOne: DistributionComparison;
  readonly ownPath: DistributionComparison;
  readonly features: FeatureComparison;
  readonly stream: StreamComparison;
}

/**
 * Reads every window in all precisions in lock step, so that no more than one step's logits a precision are held, then the first
 * window's beginning one token a step. Throws where a model gives logits or a stream that are not finite.
 */
export async function measureQuality(options: QualityOptions): Promise<Quality> {
  const { reference, models, windows, source, onProgress } = options;
  const comparisons = models.map((model) => ({
    model,
    prompt: new DistributionComparison(),
    oneByOne: new DistributionComparison(),
    ownPath: new DistributionComparison(),
    features: new FeatureComparison(),
    stream: new StreamComparison(),
  }));
  const room = { expected: new Float64Array(options.vocabularySize), other: new Float64Array(options.vocabularySize) };
  const total = windows.reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  let featurePositions = 0;
  for (const window of windows) {
    for await (const { steps, expected } of lockStep(reference, models, window, source.hookPoint)) {
      featurePositions += comparePositions(expected, comparisons, steps, source);
      comparePredictions(expected, comparisons, steps, window, room);
      done += expected.logits.length;
      onProgress?.(done, total);
    }
  }
  const beginning = windows[0]?.subarray(0, options.oneByOne + 1) ?? new Int32Array();
  await compareOneByOne(reference, comparisons, beginning, room);
  return {
    featurePositions,
    precisions: comparisons.map(({ model, ...parts }) => ({
      precision: model.precision,
      prompt: parts.prompt.summary(),
      oneByOne: parts.oneByOne.summary(),
      ownPath: parts.ownPath.summary(),
      features: parts.features.summary(),
      stream: parts.stream.summary(),
    })),
  };
}

/** The reference's steps over a window, and the same steps of every model; the reference itself runs once. */
async function* lockStep(
  reference: PrecisionModel,
  models: readonly PrecisionModel[],
  window: Int32Array,
  tap: string,
): AsyncGenerator<{ readonly expected: WindowStep; readonly steps: readonly WindowStep[] }> {
  const stepTokens = Math.min(...[reference, ...models].map(({ executor }) => executor.maxChunk));
  const others = models.map(({ executor }) =>
    executor === reference.executor ? null : readWindow(executor, window, stepTokens, [tap]),
  );
  for await (const expected of readWindow(reference.executor, window, stepTokens, [tap])) {
    const steps: WindowStep[] = [];
    for (const other of others) steps.push(other ? await nextStep(other) : expected);
    yield { expected, steps };
  }
  // Lets each of them give its slot back.
  for (const other of others) await other?.next();
}

async function nextStep(steps: AsyncGenerator<WindowStep>): Promise<WindowStep> {
  const { value, done } = await steps.next();
  if (done) throw new Error('a model ran out of steps');
  return value;
}

function comparePredictions(
  expected: WindowStep,
  comparisons: readonly Comparison[],
  steps: readonly WindowStep[],
  window: Int32Array,
  room: Room,
): void {
  for (const [t, row] of expected.logits.entries()) {
    const next = window[expected.start + t + 1];
    if (next === undefined) continue;
    const reference = distributionOf(row.full(), room.expected);
    for (const [m, { prompt }] of comparisons.entries()) {
      const same = steps[m] === expected;
      const full = steps[m]?.logits[t]?.full() ?? missing();
      prompt.add(reference, same ? reference : distributionOf(full, room.other), next);
    }
  }
}

/** Compares streams and features at the step's positions; gives how many were neither first nor attention sinks. */
function comparePositions(
  expected: WindowStep,
  comparisons: readonly Comparison[],
  steps: readonly WindowStep[],
  source: MeasuredSource,
): number {
  const { dIn, features, hookPoint, sinkNorm } = source;
  const stream = expected.taps.get(hookPoint) ?? missing();
  const activations = source.encode(stream);
  const kept = Array.from(expected.logits.keys()).filter(
    (t) => expected.start + t > 0 && Math.hypot(...stream.subarray(t * dIn, (t + 1) * dIn)) <= sinkNorm,
  );
  for (const [m, comparison] of comparisons.entries()) {
    const otherStream = steps[m]?.taps.get(hookPoint) ?? missing();
    const otherActivations = steps[m] === expected ? activations : source.encode(otherStream);
    for (const t of kept) {
      comparison.stream.add(stream.subarray(t * dIn, (t + 1) * dIn), otherStream.subarray(t * dIn, (t + 1) * dIn));
      comparison.features.add(
        activations.subarray(t * features, (t + 1) * features),
        otherActivations.subarray(t * features, (t + 1) * features),
      );
    }
  }
  return kept.length;
}

async function compareOneByOne(
  reference: PrecisionModel,
  comparisons: readonly Comparison[],
  tokens: Int32Array,
  room: Room,
): Promise<void> {
  const expected = await promptLogits(reference, tokens);
  for (const { model, oneByOne, ownPath } of comparisons) {
    const own = model.executor === reference.executor ? expected : await promptLogits(model, tokens);
    for await (const { start, logits } of readWindow(model.executor, tokens, 1, [])) {
      const next = tokens[start + 1];
      if (next === undefined) continue;
      const row = distributionOf(logits[0].full(), room.other);
      oneByOne.add(distributionOf(expected[start], room.expected), row, next);
      ownPath.add(distributionOf(own[start], room.expected), row, next);
    }
  }
}

/** Logits of every position, copied. */
async function promptLogits({ executor }: PrecisionModel, tokens: Int32Array): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const { logits } of readWindow(executor, tokens, executor.maxChunk, [])) {
    for (const row of logits) rows.push(row.full().slice());
  }
  return rows;
}

function missing(): never {
  throw new Error('a model left out a position that was asked for');
}
