import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../engine/core/index.ts';
import {
  applyEdits,
  type EditRow,
  editParameterOrder,
  emptyReading,
  largestFinite,
  type PackedEdits,
  packEditPort,
  unpackReadings,
} from '../../../engine/steering/index.ts';
import { compile, expectClose, feature, specification, vector } from './builders.ts';

const width = 4;
const edits: readonly Edit[] = [
  specification(feature(), 'add', 3),
  specification(feature(), 'set', 7),
  specification(feature(), 'pin', 7),
  specification(feature(), 'floor', 4),
  specification(feature(), 'cap', 4),
  specification(feature(), 'add', 3, { onlyIfActive: true }),
  specification(vector(), 'ablate', null),
  specification(vector(), 'orthogonal', 2),
  specification(vector(), 'add', -1),
].flatMap((each) => compile(each).map(({ edit }) => edit));

/** What the graph does with one packed hook point, written from its own docstring over the flat arrays. */
function runPacked(packed: PackedEdits, stream: Float32Array, rows: number, tokens: number) {
  const { k } = packed;
  const size = rows * tokens * k;
  const out = {
    stream: stream.slice(),
    coefficient: new Float32Array(size),
    gate: new Float32Array(size),
    readingBefore: new Float32Array(size),
    readingAfter: new Float32Array(size),
    streamNorm: new Float32Array(rows * tokens),
  };
  const parameter = (b: number, name: (typeof editParameterOrder)[number], j: number) =>
    packed.parameters[(b * editParameterOrder.length + editParameterOrder.indexOf(name)) * k + j] as number;
  const read = (b: number, j: number, x: Float32Array) =>
    x.reduce(
      (sum, value, i) => sum + value * (packed.read[(b * k + j) * width + i] as number),
      parameter(b, 'bias', j),
    );
  for (let b = 0; b < rows; b++) {
    for (let t = 0; t < tokens; t++) {
      const at = b * tokens + t;
      const x = stream.subarray(at * width, (at + 1) * width);
      const after = out.stream.subarray(at * width, (at + 1) * width);
      const norm = Math.fround(Math.hypot(...x));
      out.streamNorm[at] = norm;
      for (let j = 0; j < k; j++) {
        const a = read(b, j, x);
        const f = a > parameter(b, 'threshold', j) ? a : 0;
        const wanted = parameter(b, 'beta', j) + parameter(b, 'gamma', j) * f;
        const u = Math.min(Math.max(wanted, parameter(b, 'low', j)), parameter(b, 'high', j));
        const open = a > parameter(b, 'activeAbove', j) && norm <= parameter(b, 'sinkNorm', j);
        const g = open ? (packed.mask[at * k + j] as number) : 0;
        out.readingBefore[at * k + j] = a;
        out.coefficient[at * k + j] = u;
        out.gate[at * k + j] = g;
        for (let i = 0; i < width; i++)
          after[i] = (after[i] as number) + g * u * (packed.write[(b * k + j) * width + i] as number);
      }
      for (let j = 0; j < k; j++) out.readingAfter[at * k + j] = read(b, j, after);
    }
  }
  return out;
}

describe('rows of a step, packed', () => {
  it('give what the reference gives, row by row, whatever the number of edits and sinks among the tokens', () => {
    const number = fc.integer({ min: -640, max: 640 }).map((value) => value / 64);
    const token = fc.oneof(fc.tuple(number, number, number, number), fc.constant([200, 0, 1, 0] as const));
    const tokens = 3;
    const row = fc.record({
      stream: fc.array(token, { minLength: tokens, maxLength: tokens }),
      picks: fc.array(
        fc.record({
          edit: fc.nat(edits.length - 1),
          mask: fc.array(fc.constantFrom(0, 1), { minLength: tokens, maxLength: tokens }),
        }),
        { maxLength: 5 },
      ),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (asked) => {
        const rows: EditRow[] = asked.map(({ picks }) => ({
          edits: picks.map((pick) => ({ edit: edits[pick.edit] as Edit, mask: Float32Array.from(pick.mask) })),
        }));
        const stream = Float32Array.from(asked.flatMap((each) => each.stream.flat()));
        const packed = packEditPort(rows, tokens, width);
        const out = runPacked(packed, stream, rows.length, tokens);
        const readings = unpackReadings(out, rows, tokens);
        rows.forEach((each, b) => {
          const own = stream.subarray(b * tokens * width, (b + 1) * tokens * width);
          const truth = applyEdits(own, tokens, width, each.edits);
          expectClose(out.stream.subarray(b * tokens * width, (b + 1) * tokens * width), truth.stream, 1e-3);
          expect(readings[b]).toHaveLength(each.edits.length);
          truth.readings.forEach((expected, index) => {
            for (const name of Object.keys(emptyReading(0)) as (keyof typeof expected)[]) {
              expectClose(readings[b]?.[index]?.[name] ?? [], expected[name], name.startsWith('reading') ? 1e-2 : 1e-3);
            }
          });
        });
      }),
    );
  });

  it('hold no infinity and nothing that is not a number', () => {
    const masked = edits.map((edit) => ({ edit, mask: Float32Array.of(1) }));
    const packed = packEditPort([{ edits: masked }, { edits: [] }], 1, width);
    for (const values of [packed.read, packed.write, packed.parameters, packed.mask]) {
      expect(values.every(Number.isFinite)).toBe(true);
    }
    const broken = { ...(edits[0] as Edit), coefficient: { beta: Number.NaN, gamma: 0, low: 0, high: 0 } };
    expect(() => packEditPort([{ edits: [{ edit: broken, mask: Float32Array.of(1) }] }], 1, width)).toThrow(RangeError);
    expect(() => packEditPort([{ edits: masked }], 2, width)).toThrow(RangeError);
    expect(() => packEditPort([{ edits: masked }], 1, 5)).toThrow(RangeError);
  });

  it('are laid out as the graph reads them', () => {
    const edit = edits[1] as Edit;
    const packed = packEditPort([{ edits: [] }, { edits: [{ edit, mask: Float32Array.of(0, 1) }] }], 2, width);
    expect(packed.k).toBe(1);
    expect([...packed.read]).toEqual([0, 0, 0, 0, 1, 2, 0, -1]);
    expectClose(packed.write, [0, 0, 0, 0, 0.6, 0.8, 0, 0]);
    expect([...packed.mask]).toEqual([0, 0, 0, 1]);
    const big = Math.fround(largestFinite);
    // bias, threshold, beta, gamma, low, high, activeAbove, sinkNorm
    expect([...packed.parameters]).toEqual([0, 0, 0, 0, -big, big, -big, big, -1, 2, 7, -1, -big, big, -big, 100]);
    expect(packEditPort([{ edits: [] }], 2, width).k).toBe(1);
  });
});
