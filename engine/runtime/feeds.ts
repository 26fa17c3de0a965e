import { type LogitsRow, logitTokens, type RowStep, TillerError } from '../core/index.ts';
import { keyDimension, ports, topCount } from '../graph/index.ts';
import type { BoundStep } from './bound-step.ts';

/** Indices into the step's B·S tokens for which logits are wanted, in row order. */
export function wantedPositions(rows: readonly RowStep[]): number[] {
  return rows.flatMap((row, r) => logitTokens(row).map((t) => r * row.tokens.length + t));
}

/** The logits each row asked for: the largest copied, the whole row as a view into `buffer` until the next step. */
export function readLogits(
  step: BoundStep,
  rows: readonly RowStep[],
  buffer: ArrayBuffer,
  vocabularySize: number,
): LogitsRow[][] {
  const read = logitsReader(
    step,
    vocabularySize,
    (r) => new Float32Array(buffer, r * vocabularySize * 4, vocabularySize),
  );
  let next = 0;
  return rows.map((row) => logitTokens(row).map(() => read(next++)));
}

/** Reads a row of the logits that a graph gave out; `whole` gives all of it. */
export function logitsReader(
  step: BoundStep,
  vocabularySize: number,
  whole: (row: number) => Float32Array,
): (row: number) => LogitsRow {
  const top = Math.min(topCount, vocabularySize);
  return (row) => {
    const indices = step.int64Words(ports.topIndices);
    const topTokenIds = new Int32Array(top);
    for (let i = 0; i < top; i++) topTokenIds[i] = indices[(row * top + i) * 2] as number;
    return {
      topValues: step.float32(ports.topValues).slice(row * top, (row + 1) * top),
      topTokenIds,
      logSumExp: step.float32(ports.logSumExp)[row] as number,
      full: () => whole(row),
    };
  };
}

/** A row's taps, copied; `rows` is how many rows the step has. */
export function readTaps(step: BoundStep, row: RowStep, index: number, rows: number): Map<string, Float32Array> {
  const keys = row.start + row.tokens.length;
  return new Map(
    row.taps.map((name) => {
      const port = ports.tap(name);
      const values = step.float32(port);
      const size = values.length / rows;
      const own = values.subarray(index * size, (index + 1) * size);
      const { names, sizes } = step.dimensions(port);
      return [name, names.at(-1) === keyDimension ? firstColumns(own, sizes.at(-1) ?? 0, keys) : own.slice()] as const;
    }),
  );
}

/** The first `count` of every `width` numbers. */
function firstColumns(values: Float32Array, width: number, count: number): Float32Array {
  const rows = values.length / width;
  const kept = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) kept.set(values.subarray(row * width, row * width + count), row * count);
  return kept;
}

/** Tokens, places in the cache from `firstSlot` on, and what logits are wanted for. */
export function fillInputs(
  step: BoundStep,
  rows: readonly RowStep[],
  wanted: readonly number[],
  firstSlot: number,
): void {
  const length = rows[0]?.tokens.length ?? 0;
  const ids = step.int64(ports.inputIds);
  const lastPositions = step.int32(ports.lastPositions);
  let totalLength = 0;
  for (const [r, row] of rows.entries()) {
    for (let t = 0; t < length; t++) ids[r * length + t] = BigInt(row.tokens[t] as number);
    lastPositions[r] = row.start + length - 1;
    totalLength = Math.max(totalLength, row.start + length);
  }
  step.int32(ports.totalLength)[0] = totalLength;
  if (step.has(ports.slots)) step.int32(ports.slots).set(rows.map(({ slot }) => slot - firstSlot));
  if (step.has(ports.keyCount)) step.int64(ports.keyCount)[0] = BigInt(step.sizes[keyDimension] ?? totalLength);
  if (!step.has(ports.logitIndices)) return;
  // A graph run cannot do without logits: where nobody wants any, those of the last token are computed and not read.
  step.int64(ports.logitIndices).set((wanted.length > 0 ? wanted : [rows.length * length - 1]).map(BigInt));
}

/** What enters the first block of a graph that does not start with the tokens. */
export function fillEntries(step: BoundStep, rows: readonly RowStep[]): void {
  if (!step.has(ports.stream)) return;
  const values = step.float32(ports.stream);
  const size = values.length / rows.length;
  for (const [r, { entry }] of rows.entries()) {
    if (entry?.stream.length !== size) throw new TillerError('step_failed', 'What enters a block is of another width.');
    values.set(entry.stream, r * size);
  }
}

/** What stands in for the values at hook points, and where. */
export function fillReplacements(step: BoundStep, rows: readonly RowStep[], hookPoints: Iterable<string>): void {
  for (const hookPoint of hookPoints) {
    const values = step.float32(ports.replacement(hookPoint));
    const mask = step.bytes(ports.replacementMask(hookPoint));
    const [size, tokens] = [values.length / rows.length, mask.length / rows.length];
    for (const [r, { replacements = [] }] of rows.entries()) {
      const own = replacements.find((each) => each.hookPoint === hookPoint);
      if (own && own.values.length !== size) {
        throw new TillerError('step_failed', `What stands in for the values at ${hookPoint} is of another width.`);
      }
      if (own) values.set(own.values, r * size);
      for (let t = 0; t < tokens; t++) mask[r * tokens + t] = Number(own !== undefined && own.mask[t] !== 0);
    }
  }
}
