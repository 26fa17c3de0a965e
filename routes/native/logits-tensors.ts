import type { PositionLogits } from '../../engine/core/index.ts';
import type { AnswerTensor } from '../http/safetensors.ts';
import type { LogitsReading } from '../services.ts';
import type { ReadingInput } from './reading-inputs.ts';

/**
 * The answer as tensors: for input i, of p positions, `inputs.i.token_ids` [tokens], `.positions` [p], and `.log_sum_exp` [p], `.top_ids` and
 * `.top_logits` [p, top], `.token_logits` [p, chosen tokens]; the same four under `inputs.i.lens.HOOK_POINT.`, and for direction k
 * `inputs.i.through.k.coefficients` and `.scales` [p], `.mean` [1], `.token_effects` [chosen tokens].
 */
export function logitsTensors(
  inputs: readonly ReadingInput[],
  readings: readonly LogitsReading[],
): ReadonlyMap<string, AnswerTensor> {
  return new Map(readings.flatMap((reading, index) => inputTensors(`inputs.${index}`, inputs[index], reading)));
}

function inputTensors(
  at: string,
  input: ReadingInput | undefined,
  { positions, lens, directions }: LogitsReading,
): readonly (readonly [string, AnswerTensor])[] {
  return [
    [`${at}.token_ids`, integers(input?.tokenIds ?? new Int32Array())],
    [`${at}.positions`, integers(Int32Array.from(positions, ({ position }) => position))],
    ...rowTensors(at, positions),
    ...lens.flatMap((place) => rowTensors(`${at}.lens.${place.hookPoint}`, place.positions)),
    ...directions.flatMap((direction, k): (readonly [string, AnswerTensor])[] => [
      [`${at}.through.${k}.coefficients`, floats(direction.positions.map(({ coefficient }) => coefficient))],
      [`${at}.through.${k}.scales`, floats(direction.positions.map(({ scale }) => scale))],
      [`${at}.through.${k}.mean`, floats([direction.mean])],
      [`${at}.through.${k}.token_effects`, floats(direction.chosen.map(({ effect }) => effect))],
    ]),
  ];
}

function rowTensors(at: string, rows: readonly PositionLogits[]): readonly (readonly [string, AnswerTensor])[] {
  const topIds = new Int32Array(rows.reduce((sum, { topTokenIds }) => sum + topTokenIds.length, 0));
  const topLogits = new Float32Array(topIds.length);
  const chosen = new Float32Array(rows.reduce((sum, { values }) => sum + values.length, 0));
  for (const [r, { topTokenIds, topValues, values }] of rows.entries()) {
    topIds.set(topTokenIds, r * topTokenIds.length);
    topLogits.set(topValues, r * topValues.length);
    chosen.set(values, r * values.length);
  }
  const shape = (data: { readonly length: number }) => [rows.length, rows.length === 0 ? 0 : data.length / rows.length];
  return [
    [`${at}.log_sum_exp`, floats(rows.map(({ logSumExp }) => logSumExp))],
    [`${at}.top_ids`, { type: 'I32', shape: shape(topIds), data: topIds }],
    [`${at}.top_logits`, { type: 'F32', shape: shape(topLogits), data: topLogits }],
    [`${at}.token_logits`, { type: 'F32', shape: shape(chosen), data: chosen }],
  ];
}

function integers(data: Int32Array): AnswerTensor {
  return { type: 'I32', shape: [data.length], data };
}

function floats(values: readonly number[]): AnswerTensor {
  return { type: 'F32', shape: [values.length], data: Float32Array.from(values) };
}
