import type { AnswerTensor } from '../http/safetensors.ts';
import type { ActivationsAnswer } from './activation-answer.ts';
import { sourceHeads } from './activation-answer.ts';
import type { InspectedRun } from './inspected-run.ts';

/**
 * The answer as tensors (docs/inspection.md). Inspected tokens of all inputs lie behind each other: those of input i are
 * `input_offsets[i]` to `input_offsets[i + 1]`. Of each source the features of token t, strongest first, are `offsets[t]` to
 * `offsets[t + 1]` of `indices` and `values`: scipy's csr_matrix. Places are −1 where a token has none.
 */
export function activationTensors({ inspection, runs }: ActivationsAnswer): Map<string, AnswerTensor> {
  const inspected = runs.map((run) => run.sources[0]?.tokens.counted.length ?? 0);
  const tokens = runs.flatMap(({ tokens, first }, i) =>
    tokens.slice(first ?? 0, (first ?? 0) + (inspected[i] as number)),
  );
  const tensors = new Map<string, AnswerTensor>();
  const put = (name: string, type: AnswerTensor['type'], data: AnswerTensor['data'], shape = [data.length]) =>
    tensors.set(name, { type, shape, data });
  const numbers = (of: (token: (typeof tokens)[number]) => number | null) =>
    Int32Array.from(tokens, (token) => of(token) ?? -1);
  put('input_offsets', 'I64', BigInt64Array.from(ends(inspected), BigInt));
  for (const [k, { id }] of inspection.sources.entries()) {
    const own = runs.map((run) => run.sources[k] as InspectedRun['sources'][number]);
    const told = own.map((source) => source.tokens.indices.length);
    const offsets = new BigInt64Array(tokens.length + 1);
    let [token, before] = [0, 0];
    for (const { tokens: read } of own) {
      for (let t = 0; t < read.counted.length; t++) offsets[++token] = BigInt(before + (read.offsets[t + 1] as number));
      before += read.indices.length;
    }
    put(`${id}.offsets`, 'I64', offsets);
    put(
      `${id}.indices`,
      'I32',
      Int32Array.from(
        joined(
          told,
          own.map((source) => source.tokens.indices),
        ),
      ),
    );
    put(
      `${id}.values`,
      'F32',
      Float32Array.from(
        joined(
          told,
          own.map((source) => source.tokens.values),
        ),
      ),
    );
    const features = own.flatMap((source) => source.text.features);
    put(
      `${id}.text.offsets`,
      'I64',
      BigInt64Array.from(ends(own.map((source) => source.text.features.length)), BigInt),
    );
    put(
      `${id}.text.indices`,
      'I32',
      Int32Array.from(features, ({ index }) => index),
    );
    for (const name of ['max', 'mean', 'sum', 'last', 'frequency'] as const) {
      put(
        `${id}.text.${name}`,
        'F32',
        Float32Array.from(features, (feature) => feature[name]),
      );
    }
    put(
      `${id}.text.count`,
      'I32',
      Int32Array.from(features, ({ count }) => count),
    );
    put(
      `${id}.text.position`,
      'I32',
      Int32Array.from(features, ({ position }) => position ?? -1),
    );
  }
  put(
    'token_ids',
    'I32',
    numbers(({ id }) => id),
  );
  put(
    'positions',
    'I32',
    numbers(({ position }) => position),
  );
  put(
    'starts',
    'I32',
    numbers(({ start }) => start),
  );
  put(
    'ends',
    'I32',
    numbers(({ end }) => end),
  );
  put(
    'messages',
    'I32',
    numbers(({ message }) => message),
  );
  for (const [k, { id }] of inspection.sources.entries()) {
    const counted = runs.flatMap((run) => run.sources[k]?.tokens.counted ?? []);
    put(`${id}.counted`, 'BOOL', Uint8Array.from(counted, Number));
  }
  return tensors;
}

/** What no tensor can hold, as strings of JSON. */
export function activationMetadata({
  model,
  inspection,
  runs,
  steering,
  warnings,
}: ActivationsAnswer): Record<string, string> {
  return {
    model,
    sources: JSON.stringify(sourceHeads(inspection)),
    replies: JSON.stringify(runs.map(({ reply }) => reply)),
    ...(steering ? { steering: JSON.stringify(steering) } : {}),
    ...(warnings.length > 0 ? { warnings: JSON.stringify(warnings) } : {}),
  };
}

/** 0 and the sums so far. */
function ends(counts: readonly number[]): number[] {
  const sums = [0];
  for (const count of counts) sums.push((sums.at(-1) as number) + count);
  return sums;
}

function joined(lengths: readonly number[], arrays: readonly ArrayLike<number>[]): Float64Array {
  const whole = new Float64Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}
