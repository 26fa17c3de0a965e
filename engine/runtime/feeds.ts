import type { EditReading, LogitsRow, RowStep } from '../core/index.ts';
import { editPorts, ports, topCount } from '../graph/index.ts';
import { type EditRow, type PackedEdits, packEditPort, unpackReadings } from '../steering/index.ts';
import type { BoundStep } from './bound-step.ts';

/** The edits of all rows at one hook point, packed for its port. */
export interface EditGroup {
  readonly hookPoint: string;
  readonly rows: readonly EditRow[];
  readonly packed: PackedEdits;
  /** For each row, which of its step's edits these are. */
  readonly indices: readonly (readonly number[])[];
}

/** Sorts the edits of a step's rows by the hook points that a variant opens; one that no row edits gets padding only. */
export function groupEdits(rows: readonly RowStep[], dModel: number, open: ReadonlySet<string>): EditGroup[] {
  const tokens = rows[0]?.tokens.length ?? 0;
  return [...open].map((hookPoint) => {
    const indices = rows.map((row) => row.edits.flatMap(({ edit }, i) => (edit.hookPoint === hookPoint ? [i] : [])));
    const editRows = rows.map((row) => ({ edits: row.edits.filter(({ edit }) => edit.hookPoint === hookPoint) }));
    return { hookPoint, rows: editRows, packed: packEditPort(editRows, tokens, dModel), indices };
  });
}

export function writeEdits(step: BoundStep, group: EditGroup): void {
  const port = editPorts(group.hookPoint);
  step.float32(port.read).set(group.packed.read);
  step.float32(port.write).set(group.packed.write);
  step.float32(port.parameters).set(group.packed.parameters);
  step.float32(port.mask).set(group.packed.mask);
}

/** For each row, the readings of its edits in their order. */
export function readEdits(step: BoundStep, rows: readonly RowStep[], groups: readonly EditGroup[]): EditReading[][] {
  const readings = rows.map((row) => new Array<EditReading>(row.edits.length));
  for (const group of groups) {
    const port = editPorts(group.hookPoint);
    const outputs = {
      gate: step.float32(port.gate),
      coefficient: step.float32(port.coefficient),
      readingBefore: step.float32(port.readingBefore),
      readingAfter: step.float32(port.readingAfter),
      streamNorm: step.float32(port.streamNorm),
    };
    const unpacked = unpackReadings(outputs, group.rows, rows[0]?.tokens.length ?? 0);
    for (const [r, indices] of group.indices.entries()) {
      for (const [k, index] of indices.entries()) {
        (readings[r] as EditReading[])[index] = unpacked[r]?.[k] as EditReading;
      }
    }
  }
  return readings;
}

/** Indices into the step's B·S tokens for which logits are wanted, in row order. */
export function wantedPositions(rows: readonly RowStep[]): number[] {
  return rows.flatMap(({ logits, tokens }, r) => {
    const first = r * tokens.length;
    if (logits === 'all') return Array.from(tokens, (_, t) => first + t);
    return logits === 'last' ? [first + tokens.length - 1] : [];
  });
}

/** The logits each row asked for: the largest copied, the whole row as a view into `buffer` until the next step. */
export function readLogits(
  step: BoundStep,
  rows: readonly RowStep[],
  buffer: ArrayBuffer,
  vocabularySize: number,
): LogitsRow[][] {
  const top = Math.min(topCount, vocabularySize);
  const values = step.float32(ports.topValues);
  const indices = step.int64Words(ports.topIndices);
  const logSumExp = step.float32(ports.logSumExp);
  let next = 0;
  const read = (): LogitsRow => {
    const position = next++;
    const topTokenIds = new Int32Array(top);
    for (let i = 0; i < top; i++) topTokenIds[i] = indices[(position * top + i) * 2] as number;
    return {
      topValues: values.slice(position * top, (position + 1) * top),
      topTokenIds,
      logSumExp: logSumExp[position] as number,
      full: () => new Float32Array(buffer, position * vocabularySize * 4, vocabularySize),
    };
  };
  return rows.map(({ logits, tokens }) => {
    const count = logits === 'all' ? tokens.length : logits === 'last' ? 1 : 0;
    return Array.from({ length: count }, read);
  });
}

/** A row's taps, copied. */
export function readTaps(step: BoundStep, row: RowStep, index: number, dModel: number): Map<string, Float32Array> {
  const size = row.tokens.length * dModel;
  return new Map(
    row.taps.map((name) => [name, step.float32(ports.tap(name)).slice(index * size, (index + 1) * size)] as const),
  );
}
