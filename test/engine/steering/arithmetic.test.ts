import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EditSpecification } from '../../../engine/core/index.ts';
import { applyEdits } from '../../../engine/steering/index.ts';
import { applyToToken, compile, dot, expectClose, feature, specification, steer, vector } from './builders.ts';

/** a = 1 + 4 − 2 − 1 = 2 + … : x·e = 1 + 2·3 − 0.5 = 6.5, a = 5.5 > θ. x·unit = 0.6·2 + 0.8·0.5 = 1.6. */
const firing = [1, 3, 2, 0.5];
/** x·e = 1 + 1 − 0 = 2, a = 1 < θ = 2: silent. */
const silent = [1, 0.5, 2, 0];

function plus(x: readonly number[], u: number, d: readonly number[]): number[] {
  return x.map((value, i) => value + u * (d[i] as number));
}
const d = [0.6, 0.8, 0, 0];
const unit = [0, 0, 0.6, 0.8];

describe('each mode, by hand', () => {
  it.each<[string, EditSpecification, number, number]>([
    // u where it fires (a = f = 5.5), u where it is silent (a = 1, f = 0)
    ['add', specification(feature(), 'add', 3), 3, 3],
    ['set', specification(feature(), 'set', 7), 1.5, 7],
    ['pin', specification(feature(), 'pin', 7), 1.5 / 2.2, 6 / 2.2],
    ['scale', specification(feature(), 'scale', 3), 11, 0],
    ['ablate', specification(feature(), 'ablate', null), -5.5, 0],
    ['floor over', specification(feature(), 'floor', 7), 1.5, 7],
    ['floor under', specification(feature(), 'floor', 4), 0, 4],
    ['cap under', specification(feature(), 'cap', 4), -1.5, 0],
    ['cap over', specification(feature(), 'cap', 7), 0, 0],
    ['add only if active', specification(feature(), 'add', 3, { onlyIfActive: true }), 3, 0],
    ['set only if active', specification(feature(), 'set', 7, { onlyIfActive: true }), 1.5, 0],
    ['pin only if active', specification(feature(), 'pin', 7, { onlyIfActive: true }), 1.5 / 2.2, 0],
  ])('%s of a feature', (_, edit, whenFiring, whenSilent) => {
    expectClose(steer(firing, edit), plus(firing, whenFiring, d));
    expectClose(steer(silent, edit), plus(silent, whenSilent, d));
  });

  it.each<[string, EditSpecification, number]>([
    // a = f = x·unit = 1.6
    ['set', specification(vector(), 'set', 7), 5.4],
    ['set to less', specification(vector(), 'set', -7), -8.6],
    ['pin', specification(vector(), 'pin', 7), 5.4],
    ['scale', specification(vector(), 'scale', 3), 3.2],
    ['ablate', specification(vector(), 'ablate', null), -1.6],
    ['floor', specification(vector(), 'floor', 4), 2.4],
    ['cap', specification(vector(), 'cap', -2), -3.6],
    ['orthogonal', specification(vector(), 'orthogonal', 0.5), -0.8],
  ])('%s of a vector, along its unit', (_, edit, u) => expectClose(steer(firing, edit), plus(firing, u, unit)));

  it('adds a vector raw with its own magnitude, and by the stream norm as a unit', () => {
    expectClose(steer(firing, specification(vector(), 'add', 2)), plus(firing, 2, [0, 0, 3, 4]));
    expectClose(steer(firing, specification(vector(), 'add', 0.5, { unit: null })), plus(firing, 3, unit));
    expectClose(steer(firing, specification(vector(), 'add', 0.5, { unit: 'stream_norm' })), plus(firing, 3, unit));
  });

  it('keeps a factor of the component along the unit decoder row, read linearly', () => {
    const long = feature({ decoder: Float32Array.of(1.2, 1.6, 0, 0) });
    // x·unit decoder = 0.6 + 2.4 = 3
    expectClose(steer(firing, specification(long, 'orthogonal', 3)), plus(firing, 6, d));
    expectClose(steer(firing, specification({ ...long, encoder: null }, 'orthogonal', 3)), plus(firing, 6, d));
  });

  it('takes features in multiples of their maximum activation, or of the stream', () => {
    expectClose(steer(firing, specification(feature(), 'add', 0.3, { unit: null })), plus(firing, 3, d));
    expectClose(steer(firing, specification(feature(), 'set', 0.7, { unit: null })), plus(firing, 1.5, d));
    const long = feature({ decoder: Float32Array.of(1.2, 1.6, 0, 0) });
    // The write is half the median norm of 6 long.
    expectClose(steer(firing, specification(long, 'add', 0.5, { unit: 'stream_norm' })), plus(firing, 3, d));
  });

  it('reads the stream as it was before any edit, and adds the writes up', () => {
    const both = steer(firing, specification(feature(), 'scale', 3), specification(vector(), 'add', 1));
    expectClose(both, plus(plus(firing, 11, d), 1, [0, 0, 3, 4]));
    const twice = steer(firing, specification(feature(), 'add', 3), specification(feature(), 'set', 7));
    expectClose(twice, plus(firing, 3 + 1.5, d));
  });

  it('leaves sinks alone where it reads, and only there', () => {
    const sink = [200, 3, 2, 0.5];
    expect(steer(sink, specification(feature(), 'set', 7))).toEqual(sink);
    expect(steer(sink, specification(feature(), 'add', 3, { onlyIfActive: true }))).toEqual(sink);
    expectClose(steer(sink, specification(feature(), 'add', 3)), plus(sink, 3, d), 1e-4);
    expectClose(steer(sink, specification(feature({ sinkNorm: null }), 'add', 3)), plus(sink, 3, d), 1e-4);
    const edits = compile(specification(feature(), 'set', 7)).map(({ edit }) => edit);
    expect(applyToToken(sink, edits).readings[0]?.values).toMatchObject({
      gate: Float32Array.of(0),
      sink: Float32Array.of(1),
    });
    expect(applyToToken(firing, edits).readings[0]?.values).toMatchObject({
      gate: Float32Array.of(1),
      sink: Float32Array.of(0),
    });
  });

  it('counts a token over the sink norm, not one at it', () => {
    const [compiled] = compile(specification(feature({ sinkNorm: 5 }), 'set', 7));
    if (!compiled) throw new Error('nothing compiled');
    expect([...(applyToToken([3, 4, 0, 0], [compiled.edit]).readings[0]?.values.gate ?? [])]).toEqual([1]);
    expect([...(applyToToken([3, 4.1, 0, 0], [compiled.edit]).readings[0]?.values.gate ?? [])]).toEqual([0]);
  });

  it('writes where the mask says, token by token, and leaves its input as it was', () => {
    const [compiled] = compile(specification(feature(), 'add', 3));
    if (!compiled) throw new Error('nothing compiled');
    const stream = Float32Array.from([...firing, ...silent, ...firing]);
    const copy = stream.slice();
    const { stream: out, readings } = applyEdits(stream, 3, 4, [
      { edit: compiled.edit, mask: Float32Array.of(1, 0, 1) },
    ]);
    expect(stream).toEqual(copy);
    expectClose(out, [...plus(firing, 3, d), ...silent, ...plus(firing, 3, d)]);
    expect([...(readings[0]?.values.gate ?? [])]).toEqual([1, 0, 1]);
    expect([...(readings[0]?.values.readingBefore ?? [])]).toEqual([0, 0, 0]);
    expectClose(
      readings[0]?.values.streamNorm ?? [],
      [firing, silent, firing].map((x) => Math.hypot(...x)),
    );
  });
});

describe('for any stream', () => {
  // Multiples of 1/64, so that a reading at the threshold is exactly there in float32 too.
  const number = fc.integer({ min: -640, max: 640 }).map((value) => value / 64);
  const stream = fc.tuple(number, number, number, number);
  const away = fc.tuple(number, number, number, number).filter((v) => Math.hypot(...v) > 0.1);
  const vectorOf = (v: readonly number[]) => vector({ direction: Float32Array.from(v) });

  it('pin reads exactly its value afterwards', () => {
    fc.assert(
      fc.property(stream, number, (x, v) => {
        const edits = compile(specification(feature(), 'pin', v)).map(({ edit }) => edit);
        const { after, readings } = applyToToken(x, edits);
        expect(dot(after, [1, 2, 0, -1]) - 1).toBeCloseTo(v, 4);
        expect(readings[0]?.readingAfter(0)).toBeCloseTo(v, 4);
      }),
    );
  });

  it('set reads a + (v − f)(e·d) afterwards', () => {
    fc.assert(
      fc.property(stream, number, (x, v) => {
        const a = dot(x, [1, 2, 0, -1]) - 1;
        const f = a > 2 ? a : 0;
        expect(dot(steer(x, specification(feature(), 'set', v)), [1, 2, 0, -1]) - 1).toBeCloseTo(a + (v - f) * 2.2, 3);
      }),
    );
  });

  it('scale and orthogonal by 1 change nothing', () => {
    fc.assert(
      fc.property(stream, away, (x, v) => {
        for (const target of [feature(), vectorOf(v)]) {
          for (const mode of ['scale', 'orthogonal'] as const)
            expectClose(steer(x, specification(target, mode, 1)), x, 1e-5);
        }
      }),
    );
  });

  it('an ablated vector reads 0, scale 0 and orthogonal 0 are the same, and twice is once', () => {
    fc.assert(
      fc.property(stream, away, (x, v) => {
        const after = steer(x, specification(vectorOf(v), 'ablate', null));
        expect(dot(after, v) / Math.hypot(...v)).toBeCloseTo(0, 4);
        expectClose(steer(x, specification(vectorOf(v), 'scale', 0)), after, 1e-5);
        expectClose(steer(x, specification(vectorOf(v), 'orthogonal', 0)), after, 1e-5);
        expectClose(steer(after, specification(vectorOf(v), 'ablate', null)), after, 1e-4);
      }),
    );
  });

  it('floor and cap leave a vector’s component on their side, and together between them', () => {
    fc.assert(
      fc.property(stream, away, number, (x, v, value) => {
        const along = (y: readonly number[]) => dot(y, v) / Math.hypot(...v);
        expect(along(steer(x, specification(vectorOf(v), 'floor', value)))).toBeCloseTo(Math.max(along(x), value), 3);
        expect(along(steer(x, specification(vectorOf(v), 'cap', value)))).toBeCloseTo(Math.min(along(x), value), 3);
      }),
    );
  });

  it('set is add of v − f', () => {
    fc.assert(
      fc.property(stream, number, (x, v) => {
        const a = dot(x, [1, 2, 0, -1]) - 1;
        const added = steer(x, specification(feature(), 'add', v - (a > 2 ? a : 0)));
        expectClose(steer(x, specification(feature(), 'set', v)), added, 1e-4);
      }),
    );
  });

  it('several ablated vectors leave no component along any of them, whatever their angles and order', () => {
    fc.assert(
      fc.property(stream, fc.array(away, { minLength: 2, maxLength: 4 }), (x, directions) => {
        const edits = directions.map((v) => specification(vectorOf(v), 'ablate', null));
        const compiled = compile(...edits);
        expect(compiled.map((each) => each.specification)).toEqual(directions.map((_, index) => index));
        const after = applyToToken(
          x,
          compiled.map(({ edit }) => edit),
        ).after;
        for (const v of directions) expect(Math.abs(dot(after, v)) / Math.hypot(...v)).toBeLessThan(5e-3);
        expect(Math.hypot(...after)).toBeLessThanOrEqual(Math.hypot(...x) + 1e-4);
      }),
    );
  });

  it('the raw number asked again gives the same edit', () => {
    const targets = [feature({ decoder: Float32Array.of(1.2, 1.6, 0, 0) }), vector()];
    const modes = ['add', 'set', 'pin', 'floor', 'cap'] as const;
    fc.assert(
      fc.property(
        stream,
        number,
        fc.constantFrom(...targets),
        fc.constantFrom(...modes),
        fc.constantFrom(null, 'stream_norm' as const),
        (x, n, target, mode, unit) => {
          const asked = specification(target, mode, n, { unit });
          const raw = compile(asked)[0]?.rawNumber ?? Number.NaN;
          expectClose(steer(x, specification(target, mode, raw)), steer(x, asked), 1e-4);
        },
      ),
    );
  });
});

describe('a span of ablated vectors', () => {
  it('drops what depends on the others to nothing, and still reports it', () => {
    const inline = (v: readonly number[]) => specification(vector({ direction: Float32Array.from(v) }), 'ablate', null);
    const compiled = compile(inline([1, 1, 0, 0]), inline([1, -1, 0, 0]), inline([5, 0.1, 0, 0]), inline([0, 0, 1, 0]));
    expect(compiled).toHaveLength(4);
    expect([...(compiled[2]?.edit.write ?? [])]).toEqual([0, 0, 0, 0]);
    const { after, readings } = applyToToken(
      [1, 2, 3, 4],
      compiled.map(({ edit }) => edit),
    );
    expectClose(after, [0, 0, 0, 4]);
    expect([...(readings[2]?.values.gate ?? [])]).toEqual([1]);
  });

  it('is per hook point and per positions', () => {
    const at = (hookPoint: string, v: readonly number[], positions: EditSpecification['positions']) =>
      specification(vector({ hookPoint, direction: Float32Array.from(v) }), 'ablate', null, { positions });
    const here = 'blocks.1.hook_resid_post';
    const [a, b, c] = compile(
      at(here, [1, 0, 0, 0], { from: 0, to: 2 }),
      at(here, [1, 1, 0, 0], { from: 2, to: 4 }),
      at('blocks.0.hook_resid_post', [1, 1, 0, 0], { from: 0, to: 2 }),
    );
    expectClose(a?.edit.write ?? [], [1, 0, 0, 0]);
    for (const alone of [b, c]) expectClose(alone?.edit.write ?? [], [Math.SQRT1_2, Math.SQRT1_2, 0, 0]);
    // One place in its two spellings is one place.
    const [, second] = compile(at(here, [1, 0, 0, 0], 'all'), at('blocks.2.hook_resid_pre', [1, 1, 0, 0], 'all'));
    expectClose(second?.edit.write ?? [], [0, 1, 0, 0]);
    expect(second?.edit.hookPoint).toBe(here);
  });
});
