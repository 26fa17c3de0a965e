import { arrayPieces, objectPieces } from '../http/json-pieces.ts';
import type { Warning } from '../http/router.ts';
import type { InspectedText, InspectedTokens, Inspection, SteeringBlock } from '../services.ts';
import { type InspectedRun, tokenOf } from './inspected-run.ts';

/** All that an answer of `POST /api/v1/activations` tells. */
export interface ActivationsAnswer {
  readonly model: string;
  readonly inspection: Inspection;
  readonly runs: readonly InspectedRun[];
  readonly steering: SteeringBlock | undefined;
  readonly warnings: readonly Warning[];
}

/** The answer as JSON, in pieces. */
export function activationsJson({ model, inspection, runs, steering, warnings }: ActivationsAnswer): Iterable<string> {
  return objectPieces({
    model,
    sources: sourceHeads(inspection),
    inputs: items(runs.map((run) => runJson(run, inspection))),
    steering,
    warnings: warnings.length > 0 ? warnings : undefined,
  });
}

/** The sources that are read, as answers name them. */
export function sourceHeads({ sources }: Inspection) {
  return sources.map(({ id, hookPoint, features }) => ({ source: id, hook_point: hookPoint, features }));
}

/** What a source says of a whole input. */
export function sourceText(source: string, { ignored, truncated, tokens, features }: InspectedText) {
  return {
    source,
    counted_tokens: tokens,
    ignored_positions: [...ignored],
    truncated_positions: [...truncated],
    features: features.map(
      ({ id, model, source: name, index, label, max, mean, sum, count, last, frequency, position }) => ({
        ...{ id, model, source: name, index, label, max, mean, sum, count, last, frequency, position },
      }),
    ),
  };
}

/** A token's features as JSON tells them. */
export function tokenFeatures(indices: Uint32Array, values: Float32Array) {
  return Array.from(indices, (index, at) => ({ index, value: rounded(values[at] as number) }));
}

function* runJson(
  { promptTokens, reply, tokens, first, sources }: InspectedRun,
  { sources: heads }: Inspection,
): Generator<string> {
  yield* objectPieces({
    prompt_tokens: promptTokens,
    reply,
    tokens: arrayPieces(tokens, (token) => token),
    sources: items(
      sources.map((source, k) =>
        objectPieces({
          ...sourceText(heads[k]?.id ?? '', source.text),
          first_position: first,
          tokens: tokensJson(source.tokens),
        }),
      ),
    ),
  });
}

function tokensJson(tokens: InspectedTokens): Generator<string> {
  return arrayPieces(tokens.counted, (_, t) => {
    const { indices, values } = tokenOf(tokens, t);
    return tokenFeatures(indices, values);
  });
}

/** Items that give their own pieces. */
function* items(each: readonly Iterable<string>[]): Generator<string> {
  yield '[';
  for (const [at, one] of each.entries()) {
    if (at > 0) yield ',';
    yield* one;
  }
  yield ']';
}

/** The shortest decimal that is the same float32: a double's seventeen digits would say nothing more. */
function rounded(value: number): number {
  for (let digits = 7; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
