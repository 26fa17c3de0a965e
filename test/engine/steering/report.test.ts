import { describe, expect, it } from 'vitest';
import { applyEdits, createEditReporter, mergeReports } from '../../../engine/steering/index.ts';
import { compile, feature, specification } from './builders.ts';

const [set] = compile(specification(feature(), 'set', 7)).map(({ edit }) => edit);
const [add] = compile(specification(feature(), 'add', 3)).map(({ edit }) => edit);
if (!set || !add) throw new Error('nothing compiled');

/** Three tokens: firing (a = 5.5, u = 1.5), silent (a = 1, u = 7), a sink. */
const stream = Float32Array.of(1, 3, 2, 0.5, 1, 0.5, 2, 0, 200, 0, 0, 0);
const everywhere = Float32Array.of(1, 1, 1);

function reportOf(edit: typeof set, mask: Float32Array) {
  const reporter = createEditReporter(edit);
  const { readings } = applyEdits(stream, 3, 4, [{ edit, mask }]);
  for (const reading of readings) reporter.add(reading);
  return reporter.report();
}

describe('a report', () => {
  it('says what was done', () => {
    const report = reportOf(set, everywhere);
    expect(report).toMatchObject({ tokens: 2, sinkTokens: 1, coefficient: { min: 1.5, max: 7 } });
    expect(report.relativeDose).toBeCloseTo((1.5 / Math.hypot(1, 3, 2, 0.5) + 7 / Math.hypot(1, 0.5, 2)) / 2, 5);
    expect(report.readBefore).toEqual({ min: 1, max: 5.5, mean: 3.25 });
    expect(report.readAfter?.min).toBeCloseTo(5.5 + 1.5 * 2.2, 4);
    expect(report.readAfter?.max).toBeCloseTo(1 + 7 * 2.2, 4);
  });

  it('adds up over steps', () => {
    const reporter = createEditReporter(set);
    for (let t = 0; t < 3; t++) {
      const one = stream.subarray(t * 4, t * 4 + 4);
      for (const reading of applyEdits(one, 1, 4, [{ edit: set, mask: Float32Array.of(1) }]).readings)
        reporter.add(reading);
    }
    expect(reporter.report()).toEqual(reportOf(set, everywhere));
  });

  it('has no readings for an edit that reads nothing, and nothing at all for one that never applied', () => {
    expect(reportOf(add, everywhere)).toMatchObject({ tokens: 3, sinkTokens: 0, readBefore: null, readAfter: null });
    const nothing = {
      tokens: 0,
      sinkTokens: 0,
      coefficient: null,
      relativeDose: null,
      readBefore: null,
      readAfter: null,
    };
    expect(reportOf(set, new Float32Array(3))).toEqual(nothing);
    expect(mergeReports([])).toEqual(nothing);
    expect(mergeReports([reportOf(set, new Float32Array(3)), reportOf(set, new Float32Array(3))])).toEqual(nothing);
  });

  it('has a dose without a sign', () => {
    const [less] = compile(specification(feature(), 'add', -3)).map(({ edit }) => edit);
    if (!less) throw new Error('nothing compiled');
    expect(reportOf(less, everywhere).relativeDose).toBe(reportOf(add, everywhere).relativeDose);
    expect(reportOf(less, everywhere).relativeDose).toBeGreaterThan(0);
  });

  it('of several choices is the report of all their tokens', () => {
    const parts = [Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 1), new Float32Array(3)].map((mask) =>
      reportOf(set, mask),
    );
    const whole = reportOf(set, everywhere);
    const merged = mergeReports(parts);
    expect(merged).toMatchObject({
      tokens: 2,
      sinkTokens: 1,
      coefficient: whole.coefficient,
      readBefore: whole.readBefore,
    });
    expect(merged.relativeDose).toBeCloseTo(whole.relativeDose ?? Number.NaN, 9);
    // Unequal weights: two tokens against one.
    const uneven = mergeReports([whole, reportOf(set, Float32Array.of(1, 0, 0))]);
    expect(uneven.tokens).toBe(3);
    expect(uneven.readBefore?.mean).toBeCloseTo((5.5 + 1 + 5.5) / 3, 6);
  });
});
