import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRoom, type Resident } from '../../src/models/room-policy.ts';

const resident = (name: string, bytes: number, lastUsed: number, busy = false): Resident => ({
  name,
  bytes,
  lastUsed,
  busy,
});

describe('room for a model', () => {
  it('is there, and nobody goes', () => {
    expect(planRoom([resident('a', 40, 1)], 60, 100)).toEqual({ fits: true, unload: [] });
    expect(planRoom([], 100, 100)).toEqual({ fits: true, unload: [] });
  });

  it('comes from the idle model that was not asked for for the longest', () => {
    const residents = [resident('new', 40, 9), resident('old', 40, 1), resident('middle', 20, 5)];
    expect(planRoom(residents, 40, 100)).toEqual({ fits: true, unload: ['old'] });
    expect(planRoom(residents, 50, 100)).toEqual({ fits: true, unload: ['old', 'middle'] });
  });

  it('never comes from a busy one', () => {
    const residents = [resident('old', 50, 1, true), resident('new', 50, 2)];
    expect(planRoom(residents, 50, 100)).toEqual({ fits: true, unload: ['new'] });
    expect(planRoom(residents, 60, 100)).toEqual({ fits: false, missing: 10, never: false, busy: ['old'] });
  });

  it('does not take an early small one where a later large one is enough', () => {
    expect(planRoom([resident('small', 10, 1), resident('large', 90, 2)], 90, 100)).toEqual({
      fits: true,
      unload: ['large'],
    });
  });

  it('is never there for a model beyond the budget, for which nobody goes', () => {
    expect(planRoom([resident('a', 10, 1)], 101, 100)).toMatchObject({ fits: false, never: true, missing: 1 });
  });

  it('holds over random cases: within the budget, nobody busy, nobody for nothing', () => {
    const model = fc.record({ bytes: fc.integer({ min: 1, max: 50 }), lastUsed: fc.nat(100), busy: fc.boolean() });
    const property = fc.property(
      fc.array(model, { maxLength: 7 }),
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 200 }),
      (models, needed, budget) => {
        const residents = models.map((one, index): Resident => ({ ...one, name: `m${index}` }));
        const plan = planRoom(residents, needed, budget);
        const sum = (some: readonly Resident[]) => some.reduce((total, { bytes }) => total + bytes, 0);
        expect(plan.fits).toBe(sum(residents.filter((one) => one.busy)) + needed <= budget);
        if (!plan.fits) return;
        const going = residents.filter(({ name }) => plan.unload.includes(name));
        const used = sum(residents) - sum(going) + needed;
        expect(going.some((one) => one.busy)).toBe(false);
        expect(used).toBeLessThanOrEqual(budget);
        for (const one of going) expect(used + one.bytes).toBeGreaterThan(budget);
      },
    );
    fc.assert(property, { numRuns: 3000 });
  });
});
