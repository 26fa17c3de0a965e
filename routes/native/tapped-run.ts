import {
  type EditReport,
  type FinishReason,
  largestHalf,
  showsKeys,
  TillerError,
  toHalf,
} from '../../engine/core/index.ts';
import type { AnswerTensor } from '../http/safetensors.ts';
import type { ReadReply } from './inspected-run.ts';
import type { ReadingPlan } from './reading-plan.ts';
import type { TappedHookPoint } from './tap-plan.ts';
import type { TapPositions } from './tap-schemas.ts';

/** The values that were read of one input. */
export interface TappedRun {
  /** Of the input, then of the reply. */
  readonly tokenIds: readonly number[];
  /** Those that are told. */
  readonly positions: readonly number[];
  /** In the order of the hook points. */
  readonly tensors: readonly AnswerTensor[];
  /** Numbers that float16 could not hold, in the order of the hook points. */
  readonly beyondHalf: readonly number[];
  readonly reply: ReadReply | null;
  readonly reports: readonly EditReport[];
}

interface TapWishes {
  readonly positions: TapPositions;
  /** Ascending; null: all, or the last. */
  readonly chosen: readonly number[] | null;
  readonly half: boolean;
}

/** One token's value at each hook point, with the position: [width], or [heads][keys so far]. */
interface TappedToken {
  readonly position: number;
  readonly values: readonly (readonly Float32Array[])[];
}

/** Runs an input of the plan with taps, and keeps of their values what is told. */
export async function tapRun(
  { model, requests, over }: ReadingPlan,
  hookPoints: readonly TappedHookPoint[],
  index: number,
  { positions, chosen, half }: TapWishes,
): Promise<TappedRun> {
  const request = requests[index];
  if (!request) throw new TillerError('internal', 'an input of the plan is not there');
  const promptLength = request.promptTokenIds.length;
  const tokenIds = Array.from(request.promptTokenIds);
  const wanted = chosen && new Set(chosen);
  const kept: TappedToken[] = [];
  const isTold = (position: number) => {
    if (wanted) return wanted.has(position);
    if (over === 'prompt' && positions === 'last') return position === promptLength - 1;
    return over === 'both' || position >= promptLength === (over === 'generated');
  };
  let [text, read]: [string, number] = ['', 0];
  let finished: { readonly reason: FinishReason; readonly reports: readonly EditReport[] } | null = null;
  for await (const event of model.submit({ ...request, taps: hookPoints.map(({ name }) => name) })) {
    if (event.type === 'token') {
      tokenIds.push(event.tokenId);
      text += event.text;
    } else if (event.type === 'finish') {
      text += event.text;
      finished = { reason: event.reason, reports: event.edits };
    } else if (event.type === 'activations') {
      for (const token of tokensOf(event.taps, hookPoints, event.start, isTold)) {
        if (positions === 'last') kept.length = 0;
        kept.push(token);
      }
      read = event.start + stepTokens(event.taps, hookPoints, event.start);
    }
  }
  if (!finished) throw new TillerError('internal', 'a request was read that has not finished');
  const tensors = hookPoints.map((hookPoint, k) =>
    tensorOf(
      hookPoint,
      kept.map(({ values }) => values[k] ?? []),
      read,
    ),
  );
  const { reason, reports } = finished;
  return {
    tokenIds,
    positions: kept.map(({ position }) => position),
    tensors: half ? tensors.map(inHalf) : tensors,
    beyondHalf: tensors.map((tensor) => (half ? beyondHalf(tensor.data) : 0)),
    reply: over === 'prompt' ? null : { text, finish_reason: reason, seed: request.sampling.seed },
    reports,
  };
}

/** A step's values of the tokens that are told, copied: the others go. */
function* tokensOf(
  taps: ReadonlyMap<string, Float32Array>,
  hookPoints: readonly TappedHookPoint[],
  start: number,
  isTold: (position: number) => boolean,
): Generator<TappedToken> {
  const tokens = stepTokens(taps, hookPoints, start);
  for (let t = 0; t < tokens; t++) {
    if (!isTold(start + t)) continue;
    const values = hookPoints.map((hookPoint) => {
      const whole = valuesOf(taps, hookPoint);
      const heads = showsKeys(hookPoint.name) ? Number(hookPoint.shape[0]) : 1;
      const width = whole.length / heads / tokens;
      return Array.from({ length: heads }, (_, head) => {
        const first = (head * tokens + t) * width;
        return whole.slice(first, first + width);
      });
    });
    yield { position: start + t, values };
  }
}

/** How many tokens a step's values are of. */
function stepTokens(
  taps: ReadonlyMap<string, Float32Array>,
  hookPoints: readonly TappedHookPoint[],
  start: number,
): number {
  const [hookPoint] = hookPoints;
  if (!hookPoint) return 0;
  const { length } = valuesOf(taps, hookPoint);
  // [heads, tokens, keys], and there are as many keys as tokens up to the last
  if (showsKeys(hookPoint.name)) return queriesOf(length / Number(hookPoint.shape[0]), start);
  return length / hookPoint.shape.reduce<number>((product, size) => product * Number(size), 1);
}

function valuesOf(taps: ReadonlyMap<string, Float32Array>, { name }: TappedHookPoint): Float32Array {
  const values = taps.get(name);
  if (!values) throw new TillerError('step_failed', `The step gave no values at ${name}.`);
  return values;
}

/** n where n·(start + n) numbers are there. */
function queriesOf(numbers: number, start: number): number {
  return Math.round((-start + Math.sqrt(start * start + 4 * numbers)) / 2);
}

/** [tokens, …width], or [heads, tokens, keys]: keys that a token does not see yet are 0 in a pattern and −∞ in scores. */
function tensorOf(
  { name, shape }: TappedHookPoint,
  tokens: readonly (readonly Float32Array[])[],
  keys: number,
): AnswerTensor {
  if (!showsKeys(name)) {
    const sizes = shape.map(Number);
    const width = sizes.reduce((product, size) => product * size, 1);
    const data = new Float32Array(tokens.length * width);
    for (const [t, [values]] of tokens.entries()) data.set(values ?? [], t * width);
    return { type: 'F32', shape: [tokens.length, ...sizes], data };
  }
  const heads = Number(shape[0]);
  const unseen = name.endsWith('hook_pattern') ? 0 : Number.NEGATIVE_INFINITY;
  const data = new Float32Array(heads * tokens.length * keys).fill(unseen);
  for (const [t, byHead] of tokens.entries()) {
    for (const [head, values] of byHead.entries()) data.set(values, (head * tokens.length + t) * keys);
  }
  return { type: 'F32', shape: [heads, tokens.length, keys], data };
}

function inHalf({ shape, data }: AnswerTensor): AnswerTensor {
  return { type: 'F16', shape, data: toHalf(data as Float32Array) };
}

/** Finite numbers that become infinite. */
function beyondHalf(data: AnswerTensor['data']): number {
  let count = 0;
  for (const value of data as Float32Array) if (Math.abs(value) >= largestHalf + 16 && Number.isFinite(value)) count++;
  return count;
}
