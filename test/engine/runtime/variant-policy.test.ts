import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpenSites } from '../../../engine/graph/index.ts';
import { chooseVariant, idleSites } from '../../../engine/runtime/variant-policy.ts';

const sites = (edits: readonly (string | number)[], taps: readonly string[] = []): OpenSites => ({
  edits: new Set(edits.map(String)),
  taps: new Set(taps),
});
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const closed = sites([]);
const allOpen = sites(range(0, 61));

describe('the variant of a step', () => {
  it('is the one without any steering where nothing is steered, and nothing else', () => {
    expect(chooseVariant(closed, [allOpen, closed], [])).toEqual({ run: 1, build: null, wide: false });
    expect(chooseVariant(closed, [allOpen], [])).toEqual({ run: null, build: closed, wide: false });
  });

  it('opens few hook points more than are needed, if one such is ready', () => {
    const need = sites([1]);
    const near = sites(range(0, 1 + idleSites));
    expect(chooseVariant(need, [closed, allOpen, near, sites([1, 2])], [need])).toMatchObject({ run: 3, build: null });
    expect(chooseVariant(need, [closed, allOpen, near], [need])).toMatchObject({ run: 2, build: null, wide: false });
  });

  it('is a wide one while a narrower one is built behind it', () => {
    const need = sites([1, 2]);
    expect(chooseVariant(need, [closed, allOpen], [need])).toEqual({ run: 1, build: need, wide: true });
    expect(chooseVariant(need, [closed], [need])).toEqual({ run: null, build: need, wide: false });
  });

  it('has just the taps that are wanted', () => {
    const need = sites([1], ['a']);
    expect(chooseVariant(need, [allOpen, sites([1]), sites([1], ['a', 'b'])], [need])).toMatchObject({ run: null });
    expect(chooseVariant(need, [sites([1, 2], ['a'])], [need])).toMatchObject({ run: 0 });
  });

  it('ends with the taps where nothing else is wanted, and only then', () => {
    const only = (...args: Parameters<typeof sites>) => ({ ...sites(...args), tapsOnly: true });
    const need = only([1], ['a']);
    expect(chooseVariant(need, [sites([1], ['a']), only([1, 2], ['a']), only([1], ['b'])], [])).toMatchObject({
      run: null,
      build: need,
    });
    expect(chooseVariant(need, [sites([1], ['a']), only([1], ['a'])], [])).toMatchObject({ run: 1, build: null });
    expect(chooseVariant(sites([1], ['a']), [need], [])).toMatchObject({ run: null, build: sites([1], ['a']) });
  });

  it('is never one that opens less, and never one with edits for a step without', () => {
    const some = fc.record({
      edits: fc.uniqueArray(fc.nat(7), { maxLength: 6 }),
      taps: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(some, fc.array(some, { maxLength: 8 }), fc.array(some, { maxLength: 40 }), (need, ready, recent) => {
        const of = (each: typeof need) => sites(each.edits, each.taps);
        const { run, build } = chooseVariant(of(need), ready.map(of), recent.map(of));
        const serves = (open: OpenSites) =>
          [...of(need).edits].every((edit) => open.edits.has(edit)) &&
          (need.edits.length > 0 || open.edits.size === 0) &&
          [...open.taps].sort().join() === [...need.taps].sort().join();
        if (run === null) expect(build).toEqual(of(need));
        else expect(serves(of(ready[run] as typeof need))).toBe(true);
        if (build !== null) expect(serves(build)).toBe(true);
        if (run === null) expect(ready.map(of).some(serves)).toBe(false);
      }),
    );
  });
});

describe('what is built behind a wide variant', () => {
  it('opens what a few steps with different hook points need together', () => {
    const [a, b] = [sites([1]), sites([2, 3])];
    expect(chooseVariant(b, [allOpen], [a, b]).build).toEqual(sites([1, 2, 3]));
  });

  it('is one for all of many, if that is narrower than what is there, and not one for each', () => {
    const each = range(0, 24).map((site) => sites([site]));
    expect(chooseVariant(sites([23]), [allOpen], each).build).toEqual(sites(range(0, 24)));
    // What they need together is nearly everything: the wide one may as well stay.
    const most = range(0, 32).map((at) => sites([2 * at, 2 * at + 1]));
    expect(chooseVariant(sites([62, 63]), [sites(range(0, 64))], most)).toEqual({ run: 0, build: null, wide: true });
    // The second of many does not find another variant worth building once the first is there.
    expect(chooseVariant(sites([5]), [allOpen, sites(range(0, 24))], each)).toMatchObject({ run: 1, build: null });
  });

  it('is the one that fits once the steps have settled, whatever came before', () => {
    const before = range(0, 24).map((site) => sites([site]));
    const need = sites([7]);
    const settled = [...before, ...new Array<OpenSites>(8).fill(need)];
    expect(chooseVariant(need, [allOpen, sites(range(0, 24))], settled).build).toEqual(need);
    expect(chooseVariant(need, [allOpen, sites(range(0, 24))], settled.slice(0, -1)).build).toBeNull();
  });
});
