import { describe, expect, it } from 'vitest';
import {
  type ArrayReading,
  type Edit,
  type EditTarget,
  type SteeringMode,
  steeringModes,
} from '../../../engine/core/index.ts';
import {
  applyEdits,
  compileEdits,
  type EditParameter,
  editParameterNames,
  writeSlot,
} from '../../../engine/steering/index.ts';
import { modeNumbers } from '../../harness/mode-numbers.ts';
import { floats, type OperatorInput, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const random = randomNumbers(37);
const numbers = (count: number, scale = 1) => Float32Array.from({ length: count }, () => random() * scale);
const site = 'blocks.0.hook_resid_post';
const tokens = 4;

/** Edits of every row over its tokens' masks; all rows may share one group. */
interface Step {
  readonly stream: Float32Array;
  readonly pending?: Float32Array;
  readonly pendingScale?: Float32Array;
  readonly dModel: number;
  readonly rows: number;
  /** One list for all rows, or one for each. */
  readonly groups: readonly (readonly Edit[])[];
  /** [rows, tokens, K] */
  readonly mask: Uint8Array;
  readonly threads?: number;
  /** Changes the tables before the run. */
  readonly spoil?: (tables: Tables) => void;
}

interface Tables {
  readonly read: Float32Array;
  readonly write: Float32Array;
  readonly parameters: Readonly<Record<EditParameter, Float32Array>>;
}

interface Result {
  readonly stream: Float32Array;
  readonly gate: Uint8Array;
  readonly coefficient: Float32Array;
  readonly readingBefore: Float32Array;
  readonly readingAfter: Float32Array;
  readonly streamNorm: Float32Array;
}

async function run(step: Step): Promise<Result> {
  const { dModel, rows, groups, mask } = step;
  const slots = groups[0]?.length ?? 0;
  const all = groups.length * slots;
  const tables: Tables = {
    read: new Float32Array(all * dModel),
    write: new Float32Array(all * dModel),
    parameters: Object.fromEntries(
      editParameterNames.map((name) => [name, new Float32Array(all)]),
    ) as Tables['parameters'],
  };
  groups.flat().forEach((edit, slot) => {
    writeSlot(tables, slot, edit, dModel);
  });
  step.spoil?.(tables);
  const count = step.stream.length / dModel;
  const shape = [rows, count / rows, dModel];
  const optional = (own: readonly number[], values: Float32Array | undefined) => (values ? floats(own, values) : null);
  const inputs: (OperatorInput | null)[] = [
    floats(shape, step.stream),
    optional(shape, step.pending),
    optional([count, 1], step.pendingScale),
    floats([groups.length, slots, dModel], tables.read),
    floats([groups.length, slots, dModel], tables.write),
    ...editParameterNames.map((name) => floats([groups.length, 1, slots], tables.parameters[name])),
    { type: 'bool', shape: [rows, count / rows, slots], values: mask },
  ];
  const readings = [rows, count / rows, slots];
  const reading = { type: 'float32', shape: readings } as const;
  const { outputs } = await runOperator({
    operator: 'Edit',
    inputs,
    outputs: [
      { type: 'float32', shape },
      { type: 'bool', shape: readings },
      reading,
      reading,
      reading,
      { type: 'float32', shape: [rows, count / rows, 1] },
    ],
    threads: step.threads,
  });
  const [stream, gate, ...rest] = outputs as [ArrayBuffer, ArrayBuffer, ...ArrayBuffer[]];
  const [coefficient, readingBefore, readingAfter, streamNorm] = rest.map((bytes) => new Float32Array(bytes));
  return {
    stream: new Float32Array(stream),
    gate: new Uint8Array(gate),
    coefficient: coefficient as Float32Array,
    readingBefore: readingBefore as Float32Array,
    readingAfter: readingAfter as Float32Array,
    streamNorm: streamNorm as Float32Array,
  };
}

function near(got: number | undefined, want: number | undefined, label: string): void {
  // float32 holds ±3e38 for infinity; both of a size may differ in the last bits
  expect(Math.abs((got ?? Number.NaN) - (want ?? Number.NaN)), label).toBeLessThan(2e-5 * (1 + Math.abs(want ?? 0)));
}

/** Holds a step against engine/steering/reference.ts, row by row. Returns how many tokens were written. */
async function check(step: Step, label: string): Promise<number> {
  const { dModel, rows, groups, mask, pending, pendingScale } = step;
  const got = await run(step);
  const x = step.stream.map((value, at) => {
    return value + (pending?.[at] ?? 0) * (pendingScale?.[Math.floor(at / dModel)] ?? 1);
  });
  const count = x.length / dModel / rows;
  let written = 0;
  for (let row = 0; row < rows; row++) {
    const edits = groups.length === 1 ? groups[0] : groups[row];
    const slots = edits?.length ?? 0;
    const masked = (edits ?? []).map((edit, k) => {
      return {
        edit,
        mask: Float32Array.from({ length: count }, (_, t) => mask[(row * count + t) * slots + k] as number),
      };
    });
    const own = x.subarray(row * count * dModel, (row + 1) * count * dModel);
    const want = applyEdits(own, count, dModel, masked);
    want.stream.forEach((value, at) => {
      near(got.stream[row * count * dModel + at], value, `${label}, stream of row ${row}`);
    });
    for (let t = 0; t < count; t++) {
      near(
        got.streamNorm[row * count + t],
        Math.hypot(...own.subarray(t * dModel, (t + 1) * dModel)),
        `${label}, norm`,
      );
      for (let k = 0; k < slots; k++) {
        const { values } = want.readings[k] as ArrayReading;
        const at = (row * count + t) * slots + k;
        expect(got.gate[at], `${label}, gate of edit ${k}`).toBe(values.gate[t]);
        written += got.gate[at] as number;
        for (const name of ['coefficient', 'readingBefore', 'readingAfter'] as const) {
          near(got[name][at], values[name][t], `${label}, ${name} of edit ${k}`);
        }
      }
    }
  }
  return written;
}

function targetOf(kind: 'feature' | 'vector', dModel: number, sinkNorm: number): EditTarget {
  if (kind === 'vector') return { kind, id: 'inline', hookPoint: site, direction: numbers(dModel), streamNorm: 5 };
  const decoder = numbers(dModel, 1.5);
  // Some agreement between reading and writing, or pin is refused.
  const direction = numbers(dModel, 0.5).map((value, i) => value + 0.3 * (decoder[i] as number));
  const encoder = { direction, bias: 0.2, threshold: 0.35 };
  return { kind, id: 'toy/source/1', hookPoint: site, decoder, sinkNorm, maxActivation: 2, streamNorm: 5, encoder };
}

function editsOf(mode: SteeringMode, dModel: number, sinkNorm: number, onlyIfActive = false): Edit[] {
  const number = modeNumbers[mode];
  // one at a time: two of `pin` or `set` at one place may be refused together
  return (['feature', 'vector'] as const).flatMap((kind) => {
    const specification = {
      target: targetOf(kind, dModel, sinkNorm),
      mode,
      number,
      unit: number === null ? null : ('raw' as const),
      onlyIfActive: onlyIfActive && kind === 'feature' && mode !== 'orthogonal',
      positions: 'all' as const,
      skipSpecial: false,
      param: 'steering.edits[0]',
    };
    const options = { dModel, blocks: 2, maxEdits: 4, promptLength: tokens };
    return compileEdits([specification], options).map(({ edit }) => edit);
  });
}

/** An edit that writes without reading. */
function plainEdit(dModel: number, more: Partial<Edit> = {}): Edit {
  return {
    hookPoint: site,
    read: null,
    coefficient: { beta: 1.5, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
    write: numbers(dModel),
    positions: 'all',
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: Number.POSITIVE_INFINITY,
    ...more,
  };
}

const someMask = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i % 5 === 1 ? 0 : 1));
const sameBytes = (a: Float32Array, b: Float32Array) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

describe.each([32, 43])('Edit equals the reference arithmetic in a stream %i wide', (dModel) => {
  const rows = 3;
  // Norms lie around √(d/12)·4; half of the tokens are sinks.
  const sinkNorm = Math.sqrt(dModel / 12) * 4;

  it.each(steeringModes)('mode %s', async (mode) => {
    let written = 0;
    for (const onlyIfActive of [false, true]) {
      const stream = numbers(rows * tokens * dModel, 4);
      const edits = () => editsOf(mode, dModel, sinkNorm, onlyIfActive);
      const shared = [edits()];
      const mask = someMask(rows * tokens * 2);
      written += await check({ stream, dModel, rows, groups: shared, mask }, `${mode}, shared`);
      const apart = [edits(), edits(), edits()];
      written += await check({ stream, dModel, rows, groups: apart, mask }, `${mode}, apart`);
      const pending = numbers(rows * tokens * dModel, 4);
      const pendingScale = numbers(rows * tokens).map((value) => 1 + value);
      await check({ stream, dModel, rows, groups: apart, mask, pending }, `${mode}, with pending`);
      await check({ stream, dModel, rows, groups: shared, mask, pending, pendingScale }, `${mode}, scaled pending`);
    }
    expect(written).toBeGreaterThan(10);
  });
});

describe('Edit', () => {
  it('writes no token without an edit, and adds what is pending', async () => {
    const dModel = 40;
    const stream = numbers(2 * tokens * dModel);
    const pending = numbers(2 * tokens * dModel);
    const none = { dModel, rows: 2, groups: [[]], mask: new Uint8Array(0) };
    const plain = await run({ ...none, stream });
    expect(sameBytes(plain.stream, stream)).toBe(true);
    await check({ ...none, stream, pending }, 'no slots');
    await check({ ...none, stream, groups: [[], []] }, 'no slots, a group each');
  });

  it('equals it where threads share the tokens', async () => {
    const dModel = 256;
    const rows = 2;
    const many = 80;
    const groups = [0, 1].map(() => [...editsOf('add', dModel, 1e9), ...editsOf('scale', dModel, 1e9)]);
    const step = { stream: numbers(rows * many * dModel, 4), dModel, rows, groups };
    await check({ ...step, mask: someMask(rows * many * 4), threads: 2 }, 'many tokens');
  });

  it('does the same for a row in a batch as for the row alone, bit for bit', async () => {
    const [dModel, rows] = [48, 3];
    const groups = Array.from({ length: rows }, () => [
      ...editsOf('scale', dModel, 1e9),
      ...editsOf('cap', dModel, 1e9),
    ]);
    const stream = numbers(rows * tokens * dModel, 4);
    const mask = someMask(rows * tokens * 4);
    const together = await run({ stream, dModel, rows, groups, mask });
    for (let row = 0; row < rows; row++) {
      const own = <Values extends Float32Array | Uint8Array>(values: Values) =>
        values.slice((row * values.length) / rows, ((row + 1) * values.length) / rows) as Values;
      const group = [groups[row] as Edit[]];
      const alone = await run({ stream: own(stream), dModel, rows: 1, groups: group, mask: own(mask) });
      expect(sameBytes(alone.stream, own(together.stream))).toBe(true);
      expect(sameBytes(alone.readingAfter, own(together.readingAfter))).toBe(true);
      expect(alone.gate).toEqual(own(together.gate));
    }
  });

  it('never multiplies a slot into the stream that the mask does not name, whatever the slot holds', async () => {
    const dModel = 40;
    const stream = numbers(tokens * dModel, 4);
    const edits = [plainEdit(dModel), plainEdit(dModel), plainEdit(dModel)];
    // the slot in the middle is closed for two tokens
    const mask = Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0);
    const step = { stream, dModel, rows: 1, groups: [edits], mask };
    const clean = await run(step);
    const table = (values: Float32Array) => values.subarray(dModel, 2 * dModel);
    const spoils: ((tables: Tables, value: number) => void)[] = [
      ({ read }, value) => table(read).fill(value),
      ({ write }, value) => table(write).fill(value),
      ...editParameterNames.map((name) => ({ parameters }: Tables, value: number) => {
        parameters[name][1] = value;
      }),
    ];
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const spoil of spoils) {
        const got = await run({ ...step, spoil: (tables) => spoil(tables, value) });
        for (const token of [0, 1]) {
          const own = (values: Float32Array) => values.slice(token * dModel, (token + 1) * dModel);
          expect(sameBytes(own(got.stream), own(clean.stream))).toBe(true);
          expect(got.gate[token * 3 + 1]).toBe(0);
          for (const k of [0, 2]) expect(got.readingAfter[token * 3 + k]).toBe(clean.readingAfter[token * 3 + k]);
        }
      }
    }
  });

  it('closes a gate on what is not a number, and keeps it in its token', async () => {
    const dModel = 40;
    const reading = { direction: numbers(dModel), bias: 0, threshold: 0 };
    const edits = [plainEdit(dModel, { read: reading, activeAbove: -1e9 }), plainEdit(dModel, { sinkNorm: 1e9 })];
    const stream = numbers(tokens * dModel, 4);
    const step = { dModel, rows: 1, groups: [edits], mask: new Uint8Array(tokens * 2).fill(1) };
    const clean = await run({ ...step, stream });
    const spoilt = stream.slice();
    spoilt[dModel + 5] = Number.NaN;
    const got = await run({ ...step, stream: spoilt });
    expect([...got.gate]).toEqual([1, 1, 0, 0, 1, 1, 1, 1]);
    expect(got.stream[dModel + 5]).toBeNaN();
    expect(got.readingBefore[2]).toBeNaN();
    expect(got.streamNorm[1]).toBeNaN();
    for (const token of [0, 2, 3]) {
      const own = (values: Float32Array) => values.slice(token * dModel, (token + 1) * dModel);
      expect(sameBytes(own(got.stream), own(clean.stream))).toBe(true);
    }
  });

  it('refuses slots that are neither shared nor one group a row', async () => {
    const dModel = 32;
    const groups = [[plainEdit(dModel)], [plainEdit(dModel)]];
    const step = { stream: numbers(3 * tokens * dModel), dModel, rows: 3, groups, mask: new Uint8Array(3 * tokens) };
    await expect(run(step)).rejects.toThrow('neither shared nor one group a row');
  });
});
