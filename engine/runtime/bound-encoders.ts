import { type Encoding, type RowStep, type SparseActivations, TillerError } from '../core/index.ts';
import { encoderPorts } from '../graph/index.ts';
import type { BoundStep } from './bound-step.ts';
import { formNumbers } from './encoder-numbers.ts';
import type { PlacedEncoder } from './step-encoders.ts';

const ruleNumbers = { threshold: 0, largest: 1, largest_of_runs: 2 } as const;
const normNumbers = { none: 0, root_mean_square: 1, deviation: 2 } as const;

/** Says what each encoder of a step looks for, and on which tokens. */
export function fillEncoders(step: BoundStep, rows: readonly RowStep[], encoders: readonly PlacedEncoder[]): void {
  const tokens = rows[0]?.tokens.length ?? 0;
  for (const { site, memory, most } of encoders) {
    const port = encoderPorts(site);
    const { encoder, form } = memory;
    const { rule, input, outputs } = encoder;
    const count = rule.kind === 'threshold' ? most : rule.count;
    if (step.has(port.count)) step.int64(port.count)[0] = BigInt(count);
    if (!step.has(port.settings)) continue;
    const rectified = rule.kind === 'largest' && !rule.rectified ? 0 : 1;
    const settings = [
      outputs,
      formNumbers[form],
      ruleNumbers[rule.kind],
      count,
      rectified,
      Number(input.centred),
      normNumbers[input.norm],
      most,
    ];
    step.int64(port.settings).set(settings.map(BigInt));
    const mask = step.bytes(port.mask);
    for (const [r, row] of rows.entries()) {
      mask.fill(Number(encodingOf(row, encoder.key) !== undefined), r * tokens, (r + 1) * tokens);
    }
  }
}

/** What the encoders of a row found, in the order of its encodings. Throws `step_failed` where the stream is not finite. */
export function readEncoders(
  step: BoundStep,
  row: RowStep,
  index: number,
  encoders: readonly PlacedEncoder[],
): SparseActivations[] {
  return (row.encodings ?? []).map((encoding) => {
    const placed = encoders.find(({ memory }) => memory.encoder.key === encoding.encoder.key);
    if (!placed) throw new TillerError('internal', 'an encoder of the row is not among those of the step');
    return readRow(step, placed, encoding, { index, tokens: row.tokens.length });
  });
}

function encodingOf({ encodings }: RowStep, key: string): Encoding | undefined {
  return encodings?.find(({ encoder }) => encoder.key === key);
}

function readRow(
  step: BoundStep,
  { site, most, memory }: PlacedEncoder,
  { encoder, limit }: Encoding,
  { index, tokens }: { readonly index: number; readonly tokens: number },
): SparseActivations {
  const port = encoderPorts(site);
  const inOrder = step.has(port.settings);
  const from = index * tokens;
  const norms = step.float32(port.norms).slice(from, from + tokens);
  const bad = norms.findIndex((norm) => !Number.isFinite(norm));
  if (bad >= 0) {
    throw new TillerError(
      'step_failed',
      `The values at ${encoder.hookPoint} are not finite numbers: nothing can be read.`,
    );
  }
  const active = Uint32Array.from(step.int32(port.active).subarray(from, from + tokens));
  const values = step.float32(port.values);
  const indices = step.int32(port.indices);
  const { rule, outputs } = memory.encoder;
  const run = rule.kind === 'largest_of_runs' ? outputs / rule.count : 0;
  const offsets = new Uint32Array(tokens + 1);
  const told: { index: number; value: number }[] = [];
  for (let t = 0; t < tokens; t++) {
    const first = (from + t) * most;
    const found: { index: number; value: number }[] = [];
    const count = Math.min(most, inOrder ? (active[t] as number) : most);
    for (let at = 0; at < count; at++) {
      const value = values[first + at] as number;
      // ONNX Runtime's operators give out as many numbers as there can be, whether anything is active or not
      if (!inOrder && (rule.kind === 'largest' && !rule.rectified ? value === 0 : !(value > 0))) continue;
      const own = indices[first + at] as number;
      found.push({ index: !inOrder && run > 0 ? at * run + own : own, value });
    }
    const kept = found.length > limit ? found.sort(byValue).slice(0, limit) : found;
    if (!inOrder || kept !== found) kept.sort((a, b) => a.index - b.index);
    told.push(...kept);
    offsets[t + 1] = told.length;
  }
  return {
    tokens,
    offsets,
    indices: Uint32Array.from(told, (each) => each.index),
    values: Float32Array.from(told, (each) => each.value),
    active,
    norms,
  };
}

function byValue(a: { index: number; value: number }, b: { index: number; value: number }): number {
  return b.value - a.value || a.index - b.index;
}
