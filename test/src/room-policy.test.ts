import { describe, expect, it } from 'vitest';
import { planRoom, type Resident } from '../../src/models/room-policy.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

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
    const next = randomNumbers(7);
    const whole = (most: number) => Math.floor((next() + 0.5) * most);
    for (let run = 0; run < 5000; run++) {
      const residents = Array.from({ length: whole(6) }, (_, index) =>
        resident(`m${index}`, 1 + whole(50), whole(100), next() < -0.2),
      );
      const budget = 1 + whole(200);
      const needed = 1 + whole(120);
      const plan = planRoom(residents, needed, budget);
      const sum = (some: readonly Resident[]) => some.reduce((total, { bytes }) => total + bytes, 0);
      const busy = residents.filter((one) => one.busy);
      expect(plan.fits).toBe(sum(busy) + needed <= budget);
      if (!plan.fits) continue;
      const going = residents.filter(({ name }) => plan.unload.includes(name));
      const used = sum(residents) - sum(going) + needed;
      expect(going.some((one) => one.busy)).toBe(false);
      expect(used).toBeLessThanOrEqual(budget);
      for (const one of going) expect(used + one.bytes).toBeGreaterThan(budget);
    }
  });
});
