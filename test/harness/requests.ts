import type { Edit } from '../../engine/core/edit.ts';
import type { Encoding } from '../../engine/core/encoder.ts';
import type { Engine } from '../../engine/core/engine.ts';
import { asTillerError, type TillerError } from '../../engine/core/errors.ts';
import type { GenerateRequest, GenerationEvent, SamplingParameters, StopRules } from '../../engine/core/request.ts';
import type { RuleSet } from '../../engine/core/rule.ts';

let nextId = 0;

/** What a test says of a request; the rest is neutral: greedy, 16 tokens, no edits. */
export interface RequestSketch {
  readonly id?: string;
  readonly prompt: readonly number[];
  readonly sampling?: Partial<SamplingParameters>;
  readonly stop?: Partial<StopRules>;
  readonly logprobs?: number | null;
  readonly promptLogprobs?: number | null;
  readonly edits?: readonly Edit[];
  readonly rules?: RuleSet;
  readonly encodings?: readonly Encoding[];
  readonly deadline?: number | null;
  readonly signal?: AbortSignal | null;
}

/** A whole request from a sketch. */
export function requestFrom(sketch: RequestSketch): GenerateRequest {
  const { prompt } = sketch;
  return {
    id: sketch.id ?? `request-${nextId++}`,
    promptTokenIds: Int32Array.from(prompt),
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: new Map(),
      seed: 0,
      ...sketch.sampling,
    },
    stop: {
      maxTokens: 16,
      minTokens: 0,
      strings: [],
      tokenIds: [],
      ignoreEos: false,
      includeStopString: false,
      ...sketch.stop,
    },
    logprobs: sketch.logprobs ?? null,
    promptLogprobs: sketch.promptLogprobs ?? null,
    edits: sketch.edits ?? [],
    ...(sketch.rules ? { rules: sketch.rules } : {}),
    ...(sketch.encodings ? { encodings: sketch.encodings } : {}),
    positionContext: {
      promptLength: prompt.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(prompt.length),
      specialTokenIds: new Set(),
    },
    deadline: sketch.deadline ?? null,
    signal: sketch.signal ?? null,
  };
}

/** An edit of strength `beta` that reads nothing. */
export function editOf(
  beta: number,
  positions: Edit['positions'] = 'all',
  hookPoint = 'blocks.0.hook_resid_post',
  write: Float32Array = Float32Array.of(3, 4),
): Edit {
  return {
    hookPoint,
    read: null,
    coefficient: { beta, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    write,
    positions,
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: Number.POSITIVE_INFINITY,
  };
}

/** Everything a consumer saw of a reply. */
export interface Reply {
  readonly events: readonly GenerationEvent[];
  readonly tokenIds: readonly number[];
  readonly text: string;
  readonly finish: Extract<GenerationEvent, { type: 'finish' }> | null;
  readonly error: TillerError | null;
}

/** Reads a reply to its end; a failure becomes `error`. */
export async function read(events: AsyncIterable<GenerationEvent>): Promise<Reply> {
  const seen: GenerationEvent[] = [];
  let error: TillerError | null = null;
  try {
    for await (const event of events) seen.push(event);
  } catch (thrown) {
    error = asTillerError(thrown);
  }
  return {
    events: seen,
    tokenIds: seen.flatMap((event) => (event.type === 'token' ? [event.tokenId] : [])),
    text: seen.map((event) => ('text' in event ? event.text : '')).join(''),
    finish: seen.find((event) => event.type === 'finish') ?? null,
    error,
  };
}

/** Submits and reads. */
export function generate(engine: Engine, sketch: RequestSketch): Promise<Reply> {
  return read(engine.submit(requestFrom(sketch)));
}
