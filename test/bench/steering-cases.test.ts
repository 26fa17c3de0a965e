import { describe, expect, it } from 'vitest';
import { openedHookPoints, rowEdits, type SteeringCase } from '../../bench/steering/cases.ts';
import { planCases } from '../../bench/steering/plan.ts';
import { canonicalHookPoint, formatHookPoint, parseHookPoint } from '../../engine/core/index.ts';
import { applyEdits } from '../../engine/steering/reference.ts';

const model = { dModel: 16, blocks: 30 };
const base: SteeringCase = { placement: 'one', kind: 'set', distinct: 8, edits: 1, steeredRows: 32 };

describe('steerings of the benchmark', () => {
  it('are as many different ones as asked for, each row with one', () => {
    const rows = rowEdits(base, 32, model);
    expect(rows).toHaveLength(32);
    expect(new Set(rows).size).toBe(8);
    expect(new Set(rows.flat().map(({ write }) => String(write))).size).toBe(8);
    expect(openedHookPoints(base, model)).toEqual(['blocks.15.hook_resid_post']);
  });

  it('have hook points of their own where asked for, more than there are layers', () => {
    const opened = openedHookPoints({ ...base, placement: 'own', distinct: 32 }, model);
    expect(opened).toHaveLength(32);
    for (const name of opened) {
      expect(formatHookPoint(canonicalHookPoint(parseHookPoint(name, model.blocks)))).toBe(name);
    }
  });

  it('act on every layer with so many edits each, no two alike', () => {
    const rows = rowEdits({ ...base, placement: 'all', edits: 8, distinct: 32 }, 32, model);
    for (const edits of rows) expect(edits).toHaveLength(240);
    expect(new Set(rows.flat().map(({ write }) => String(write))).size).toBe(32 * 240);
  });

  it('leave unsteered rows alone', () => {
    const rows = rowEdits({ ...base, distinct: 1, steeredRows: 1 }, 4, model);
    expect(rows.map((edits) => edits.length)).toEqual([1, 0, 0, 0]);
  });

  it.each(['add', 'set'] as const)('leave the stream as it is, though they are computed: %s', (kind) => {
    const [edits = []] = rowEdits({ ...base, kind, edits: 3 }, 1, model);
    const stream = Float32Array.from({ length: model.dModel }, (_, i) => Math.sin(i) * 5);
    const masked = edits.map((edit) => ({ edit, mask: Float32Array.of(1) }));
    const { stream: after, readings } = applyEdits(stream, 1, model.dModel, masked);
    expect(after).toEqual(stream);
    expect(readings.map((reading) => reading.gate(0))).toEqual([1, 1, 1]);
    expect(edits.every(({ read }) => (read !== null) === (kind === 'set'))).toBe(true);
  });

  it('never are more than there are rows', () => {
    for (const { steering } of planCases(8)) expect(steering.distinct).toBeLessThanOrEqual(8);
    const full = planCases(32).map(({ level, steering }) => `${level} ${JSON.stringify(steering)}`);
    expect(new Set(full).size).toBe(full.length);
  });
});
