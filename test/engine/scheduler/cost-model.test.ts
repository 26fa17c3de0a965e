import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostModel, type StepShape } from '../../../engine/scheduler/cost-model.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

/** What a machine takes for a step, without noise. */
type Machine = (shape: StepShape) => number;

const machine =
  (fixed: number, each: number, pair: number): Machine =>
  (shape) => {
    if (shape.kind === 'decode') return fixed + 2 * each * shape.rows + 10 * pair * shape.held;
    const chunks = shape.kind === 'mixed' ? shape.prompts : [shape];
    const prompt = chunks.reduce(
      (sum, { tokens, start }) => sum + each * tokens + pair * tokens * (start + tokens / 2),
      0,
    );
    return prompt + (shape.kind === 'prefill' ? fixed : machine(fixed, each, pair)(shape.decode));
  };

const random = randomNumbers(3);
const between = (from: number, to: number) => Math.round(from + (random() + 0.5) * (to - from));

function someShape(): StepShape {
  const decode = { kind: 'decode', rows: between(1, 32), held: between(100, 20_000) } as const;
  const prompt = { tokens: between(16, 128), start: between(0, 4000) };
  const which = random();
  if (which < -0.17) return decode;
  return which < 0.17 ? { kind: 'prefill', ...prompt } : { kind: 'mixed', decode, prompts: [prompt] };
}

/** Lets the model see so many steps; every eighth takes several times as long as it should where `accidents` says so. */
function train(model: CostModel, takes: Machine, steps: number, accidents = false): void {
  for (let step = 0; step < steps; step++) {
    const shape = someShape();
    const factor = accidents && step % 8 === 7 ? 4 : 1 + 0.05 * random();
    model.observe(shape, takes(shape) * factor);
  }
}

function worstError(model: CostModel, takes: Machine): number {
  const shapes: StepShape[] = [
    { kind: 'prefill', tokens: 16, start: 0 },
    { kind: 'prefill', tokens: 128, start: 64 },
    { kind: 'prefill', tokens: 32, start: 3900 },
    { kind: 'decode', rows: 1, held: 300 },
    { kind: 'decode', rows: 16, held: 8000 },
    { kind: 'mixed', decode: { kind: 'decode', rows: 16, held: 8000 }, prompts: [{ tokens: 32, start: 3900 }] },
    {
      kind: 'mixed',
      decode: { kind: 'decode', rows: 2, held: 300 },
      prompts: [32, 48].map((tokens) => ({ tokens, start: 100 })),
    },
    { kind: 'decode', rows: 32, held: 20_000 },
  ];
  return Math.max(...shapes.map((shape) => Math.abs(model.predict(shape) / takes(shape) - 1)));
}

describe('CostModel', () => {
  it('knows nothing at first, and still predicts', () => {
    const model = new CostModel();
    expect(model.knows('decode')).toBe(false);
    expect(model.predict({ kind: 'decode', rows: 1, held: 100 })).toBeGreaterThan(1);
    model.observe({ kind: 'decode', rows: 1, held: 100 }, 20);
    expect([model.knows('decode'), model.knows('prefill')]).toEqual([true, false]);
  });

  it.each([
    ['this machine', machine(25, 0.8, 0.0003)],
    ['one ten times faster', machine(2, 0.1, 0.00003)],
    ['one thirty times slower', machine(700, 30, 0.01)],
  ])('learns what %s takes', (_, takes) => {
    const model = new CostModel();
    train(model, takes, 300);
    expect(worstError(model, takes)).toBeLessThan(0.1);
  });

  it('is not misled by accidents: the first run of a shape, another process', () => {
    const model = new CostModel();
    const takes = machine(25, 0.8, 0.0003);
    train(model, takes, 300, true);
    // one in eight at the cap of 1.5 times lifts the mean by a sixteenth
    expect(worstError(model, takes)).toBeLessThan(0.3);
    const before = model.predict({ kind: 'decode', rows: 8, held: 2000 });
    model.observe({ kind: 'decode', rows: 8, held: 2000 }, 100 * before);
    expect(model.predict({ kind: 'decode', rows: 8, held: 2000 })).toBeLessThan(1.1 * before);
  });

  it('follows a machine that has become slower or faster within some steps', () => {
    const model = new CostModel();
    const shape: StepShape = { kind: 'decode', rows: 16, held: 5000 };
    for (let step = 0; step < 500; step++) model.observe(shape, 50);
    for (let step = 0; step < 8; step++) model.observe(shape, 300);
    expect(model.predict(shape) / 300).toBeCloseTo(1, 1);
    for (let step = 0; step < 8; step++) model.observe(shape, 10);
    expect(model.predict(shape) / 10).toBeCloseTo(1, 1);
  });

  it('stays finite, above zero and sane after very many steps of one shape', () => {
    const model = new CostModel();
    const takes = machine(25, 0.8, 0.0003);
    train(model, takes, 200);
    for (let step = 0; step < 20_000; step++) model.observe({ kind: 'decode', rows: 1, held: 50 }, 26 + random());
    expect(model.predict({ kind: 'decode', rows: 1, held: 50 })).toBeCloseTo(26, 0);
    const wide = model.predict({ kind: 'decode', rows: 32, held: 20_000 });
    expect(wide).toBeGreaterThan(26);
    expect(wide).toBeLessThan(1000);
  });

  it('grows with the step, whatever it has seen', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            rows: fc.integer({ min: 1, max: 64 }),
            held: fc.nat(100_000),
            milliseconds: fc.double({ min: 0.001, max: 1e5, noNaN: true }),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          const model = new CostModel();
          for (const { rows, held, milliseconds } of steps) model.observe({ kind: 'decode', rows, held }, milliseconds);
          const small = model.predict({ kind: 'decode', rows: 4, held: 100 });
          const large = model.predict({ kind: 'decode', rows: 8, held: 900 });
          expect(small).toBeGreaterThan(0);
          expect(Number.isFinite(large)).toBe(true);
          expect(large).toBeGreaterThanOrEqual(small);
        },
      ),
    );
  });

  it('ignores times that are none', () => {
    const model = new CostModel();
    const shape: StepShape = { kind: 'prefill', tokens: 64, start: 0 };
    const before = model.predict(shape);
    for (const milliseconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) model.observe(shape, milliseconds);
    expect(model.predict(shape)).toBe(before);
    expect(model.knows('prefill')).toBe(false);
  });
});
