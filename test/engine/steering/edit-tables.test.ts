import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyReading, type Edit } from '../../../engine/core/index.ts';
import {
  applyEdits,
  type EditLayout,
  type EditTables,
  editParameterNames,
  editParameters,
  largestFinite,
  layOutEdits,
  type MaskedEdit,
  type PortOutputs,
  SlotReading,
  sameArithmetic,
  writeMask,
  writeSlot,
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
  // Equal to the first in content and not in identity.
  specification(feature(), 'add', 3),
  ...Array.from({ length: 16 }, (_, i) => specification(feature(), 'add', i - 8)),
].flatMap((each) => compile(each).map(({ edit }) => edit));

function emptyTables(slots: number): EditTables {
  const numbers = editParameterNames.map((name) => [name, new Float32Array(slots)] as const);
  return {
    read: new Float32Array(slots * width),
    write: new Float32Array(slots * width),
    parameters: Object.fromEntries(numbers) as unknown as EditTables['parameters'],
  };
}

/** What the graph does at one hook point, written from its own docstring over the flat arrays. */
function runPort(tables: EditTables, mask: Uint8Array, layout: EditLayout, stream: Float32Array, tokens: number) {
  const { groups, width: k } = layout;
  const rows = stream.length / tokens / width;
  const size = rows * tokens * k;
  const outputs: PortOutputs = {
    mask,
    gate: new Uint8Array(size),
    coefficient: new Float32Array(size),
    readingBefore: new Float32Array(size),
    readingAfter: new Float32Array(size),
    streamNorm: new Float32Array(rows * tokens),
  };
  const edited = stream.slice();
  const { bias, threshold, beta, gamma, low, high, activeAbove, sinkNorm } = tables.parameters;
  const read = (slot: number, x: Float32Array) =>
    x.reduce((sum, value, i) => sum + value * at(tables.read, slot * width + i), at(bias, slot));
  for (let token = 0; token < rows * tokens; token++) {
    const x = stream.subarray(token * width, (token + 1) * width);
    const after = edited.subarray(token * width, (token + 1) * width);
    const norm = Math.fround(Math.hypot(...x));
    outputs.streamNorm[token] = norm;
    const group = groups === 1 ? 0 : Math.floor(token / tokens);
    for (let j = 0; j < k; j++) {
      const slot = group * k + j;
      const a = read(slot, x);
      const f = a > at(threshold, slot) ? a : 0;
      const u = Math.min(Math.max(at(beta, slot) + at(gamma, slot) * f, at(low, slot)), at(high, slot));
      const g = mask[token * k + j] === 1 && a > at(activeAbove, slot) && norm <= at(sinkNorm, slot);
      outputs.readingBefore[token * k + j] = a;
      outputs.coefficient[token * k + j] = u;
      outputs.gate[token * k + j] = g ? 1 : 0;
      for (let i = 0; i < width; i++) after[i] = at(after, i) + (g ? u : 0) * at(tables.write, slot * width + i);
    }
    for (let j = 0; j < k; j++) outputs.readingAfter[token * k + j] = read(group * k + j, after);
  }
  return { edited, outputs };
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}

describe('steps one after the other over the same tables', () => {
  const number = fc.integer({ min: -640, max: 640 }).map((value) => value / 64);
  const token = fc.oneof(fc.tuple(number, number, number, number), fc.constant([200, 0, 1, 0] as const));
  const tokens = 2;
  const pick = fc.record({
    edit: fc.nat(edits.length - 1),
    mask: fc.array(fc.constantFrom(0, 1), { minLength: tokens, maxLength: tokens }),
  });
  const row = fc.record({
    stream: fc.array(token, { minLength: tokens, maxLength: tokens }),
    picks: fc.array(pick, { maxLength: 3 }),
  });
  const single = row.map((each) => ({ ...each, picks: each.picks.slice(0, 1) }));
  const step = fc.oneof(
    fc.array(row, { minLength: 1, maxLength: 12 }),
    fc.array(single, { minLength: 6, maxLength: 12, size: 'max' }),
  );

  it('give what the reference gives, row by row, whatever stood in the slots before', () => {
    const forms = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const tables = emptyTables(12 * 8);
        const held: Edit[] = [];
        let layout: EditLayout | null = null;
        for (const asked of steps) {
          const rows: MaskedEdit[][] = asked.map(({ picks }) =>
            picks.map((each) => ({ edit: edits[each.edit] as Edit, mask: Float32Array.from(each.mask) })),
          );
          layout = layOutEdits(
            rows.map((own) => own.map(({ edit }) => edit)),
            layout,
          );
          forms.add(layout.groups === 1 ? 'shared' : 'apart');
          layout.slots.forEach((edit, slot) => {
            if (edit === null || held[slot] === edit) return;
            writeSlot(tables, slot, edit, width);
            held[slot] = edit;
          });
          const mask = new Uint8Array(rows.length * tokens * layout.width).fill(7);
          writeMask(
            mask,
            layout,
            rows.map((own) => own.map((each) => each.mask)),
            tokens,
          );
          const stream = Float32Array.from(asked.flatMap((each) => each.stream.flat()));
          const { edited, outputs } = runPort(tables, mask, layout, stream, tokens);
          for (const [r, own] of rows.entries()) {
            const part = [r * tokens * width, (r + 1) * tokens * width] as const;
            const truth = applyEdits(stream.subarray(...part), tokens, width, own);
            expectClose(edited.subarray(...part), truth.stream, 1e-3);
            own.forEach(({ edit }, i) => {
              const place = at(layout?.places[r] ?? [], i);
              const reading = new SlotReading(outputs, layout as EditLayout, edit, { row: r, place, tokens });
              const got = copyReading(reading).values;
              const expected = truth.readings[i]?.values ?? got;
              for (const name of Object.keys(got) as (keyof typeof got)[]) {
                expectClose(got[name], expected[name], name.startsWith('reading') ? 1e-2 : 1e-3);
              }
            });
          }
        }
      }),
    );
    expect([...forms].sort()).toEqual(['apart', 'shared']);
  });
});

describe('the layout of edits', () => {
  const different = (count: number) =>
    Array.from({ length: count }, (_, i) => compile(specification(feature(), 'add', i + 1))[0]?.edit as Edit);
  const held = (layout: EditLayout) => layout.slots.filter((edit) => edit !== null);

  it('gives identical edits one slot for all rows, and a row that has one twice two', () => {
    const [a, b] = different(2) as [Edit, Edit];
    const copies = Array.from({ length: 32 }, () => [{ ...a, write: a.write.slice() }, b]);
    const shared = layOutEdits(copies, null);
    expect(shared).toMatchObject({ groups: 1, width: 2 });
    expect(new Set(shared.places.map(String))).toEqual(new Set(['0,1']));
    const twice = layOutEdits([[a, a], [a]], null);
    expect(held(twice)).toHaveLength(2);
    expect(twice.places[0]?.[0]).not.toBe(twice.places[0]?.[1]);
  });

  it('gives every row a group of its own where nearly every edit is another', () => {
    const many = different(32);
    const apart = layOutEdits(
      many.map((edit) => [edit]),
      null,
    );
    expect(apart).toMatchObject({ groups: 32, width: 1, slots: many });
    // Four times as many as one row has: still shared.
    expect(layOutEdits([many.slice(0, 2), many.slice(2, 4), many.slice(4, 8)], null)).toMatchObject({ groups: 1 });
    expect(layOutEdits([many.slice(0, 20)], null)).toMatchObject({ groups: 1, width: 24 });
  });

  it('takes no room where there are no edits', () => {
    expect(layOutEdits([[], []], null)).toEqual({ groups: 1, width: 0, slots: [], places: [[], []] });
  });

  it('leaves where they are the edits of rows that stay, and keeps its sizes while they fit', () => {
    const [a, b, c, d] = different(4) as [Edit, Edit, Edit, Edit];
    const first = layOutEdits([[a], [b], [c]], null);
    const slotOf = (layout: EditLayout, edit: Edit) =>
      layout.slots.findIndex((each) => each && sameArithmetic(each, edit));
    const second = layOutEdits([[b], [c], [d]], first);
    expect(second.width).toBe(first.width);
    for (const edit of [b, c]) expect(slotOf(second, edit)).toBe(slotOf(first, edit));
    expect(slotOf(second, d)).toBe(slotOf(first, a));
    const third = layOutEdits([[d], [c]], second);
    expect(third.width).toBe(first.width);
    expect(slotOf(third, c)).toBe(slotOf(first, c));
    expect(layOutEdits([[d]], third).width).toBe(1);
  });
});

describe('a slot', () => {
  it('holds no infinity and nothing that is not a number', () => {
    const tables = emptyTables(edits.length);
    for (const [slot, edit] of edits.entries()) writeSlot(tables, slot, edit, width);
    for (const values of [tables.read, tables.write, ...Object.values(tables.parameters)]) {
      expect(values.every(Number.isFinite)).toBe(true);
    }
    const broken = { ...(edits[0] as Edit), coefficient: { beta: Number.NaN, gamma: 0, low: 0, high: 0 } };
    expect(() => writeSlot(tables, 0, broken, width)).toThrow(RangeError);
    expect(() => writeSlot(tables, 0, edits[0] as Edit, 5)).toThrow(RangeError);
    const layout = layOutEdits([edits.slice(0, 1)], null);
    expect(() => writeMask(new Uint8Array(2), layout, [[Float32Array.of(1)]], 2)).toThrow(RangeError);
  });

  it('is laid out as the graph reads it, with nothing left of what stood there', () => {
    const tables = emptyTables(2);
    for (const edit of [edits[1], edits[0], edits[1]]) writeSlot(tables, 1, edit as Edit, width);
    expect([...tables.read]).toEqual([0, 0, 0, 0, 1, 2, 0, -1]);
    expectClose(tables.write, [0, 0, 0, 0, 0.6, 0.8, 0, 0]);
    const big = Math.fround(largestFinite);
    const numbers = {
      bias: -1,
      threshold: 2,
      beta: 7,
      gamma: -1,
      low: -big,
      high: big,
      activeAbove: -big,
      sinkNorm: 100,
    };
    expect(editParameters(edits[1] as Edit)).toEqual(numbers);
    for (const name of editParameterNames) expect([...tables.parameters[name]]).toEqual([0, numbers[name]]);
    writeSlot(tables, 1, edits[0] as Edit, width);
    expect([...tables.read]).toEqual(new Array(8).fill(0));
  });
});
