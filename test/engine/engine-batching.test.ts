import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../engine/engine.ts';
import { createFakeExecutor } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { editOf, generate } from '../harness/requests.ts';
import {
  comparable,
  differences,
  runAlone,
  runTogether,
  sketchArbitrary,
  type Visitor,
  visitorArbitrary,
} from '../harness/schedules.ts';

const tokenizer = createFakeTokenizer();
const eosTokenIds = [fakeTokens.eos];

describe('batched replies', () => {
  it('equal isolated ones, whoever joins and leaves when', async () => {
    let runs = 0;
    let widest = 0;
    let copies = 0;
    let mixed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(visitorArbitrary(sketchArbitrary), { minLength: 2, maxLength: 24, size: 'max' }),
        fc.constantFrom(1, 3, 16, 16),
        fc.constantFrom(1, 5, 64),
        fc.boolean(),
        async (visitors, slots, maxChunk, ragged) => {
          const { different, executor } = await differences(visitors, { slots, maxChunk, ragged });
          expect(different).toEqual([]);
          mixed += executor.plans.filter(({ kind, rows }) => kind === 'mixed' && rows.length > 2).length;
          if (ragged) expect(executor.copies).toEqual([]);
          runs += executor.plans.length;
          copies += executor.copies.length;
          widest = Math.max(widest, ...executor.plans.map((plan) => plan.rows.length));
        },
      ),
      { numRuns: 50 },
    );
    // far below what any seed reaches: the schedules must really have shared batches, mixed them, and moved rows
    expect(mixed).toBeGreaterThan(50);
    expect(runs).toBeGreaterThan(300);
    expect(copies).toBeGreaterThan(10);
    expect(widest).toBeGreaterThan(2);
  });

  /** Sixteen rows that run together and leave one after the other from the front, so that slots are copied. */
  const crowd: Visitor[] = Array.from({ length: 20 }, (_, index) => ({
    sketch: {
      prompt: Array.from({ length: 3 + index }, (_, at) => 40 + ((index * 7 + at * 3) % 90)),
      sampling: { temperature: 1, seed: index },
      stop: { maxTokens: 30 + index, ignoreEos: true },
      edits: index % 3 === 0 ? [editOf(index + 1, 'generated')] : [],
    },
    joinAt: 1,
    leaveAt: null,
  }));

  it('equal isolated ones with sixteen rows decoding at once', async () => {
    const { different, executor } = await differences(crowd, { maxChunk: 64 });
    expect(different).toEqual([]);
    expect(Math.max(...executor.plans.map((plan) => plan.rows.length))).toBe(16);
    expect(executor.copies.length).toBeGreaterThan(0);
    expect(executor.freed.length).toBeGreaterThan(0);
  });

  it('would be caught differing if a slot were not copied', async () => {
    const { replies } = await runTogether(crowd, { maxChunk: 64, onCopy: () => false });
    const wrong = await Promise.all(
      replies.map(async (reply, index) => {
        const alone = await runAlone((crowd[index] as Visitor).sketch, { maxChunk: 64 });
        return reply && JSON.stringify(comparable(reply)) !== JSON.stringify(comparable(alone)) ? 1 : 0;
      }),
    );
    expect(wrong.reduce((sum: number, one) => sum + one, 0)).toBeGreaterThan(0);
  });

  it('depend on the seed and on nothing else', async () => {
    const engine = createEngine({ executor: createFakeExecutor(), tokenizer, eosTokenIds, queueLimit: 8 });
    const choice = (seed: number) => generate(engine, { prompt: [50, 60], sampling: { temperature: 1, seed } });
    const [first, second, again] = await Promise.all([choice(1), choice(2), choice(1)]);
    expect(first?.tokenIds).toEqual(again?.tokenIds);
    expect(first?.tokenIds).not.toEqual(second?.tokenIds);
  });

  it('carry edits only in steps whose tokens they touch', async () => {
    const executor = createFakeExecutor();
    const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 8 });
    const edits = [editOf(1, 'prompt'), editOf(2, { from: 20, to: 22 }), editOf(3, 'generated')];
    const reply = await generate(engine, {
      prompt: [50, 60, 70],
      stop: { maxTokens: 3, ignoreEos: true },
      edits,
    });
    expect(executor.plans.map(({ rows }) => rows[0]?.edits.map(({ edit }) => edits.indexOf(edit)))).toEqual([
      [0, 2],
      [2],
      [2],
    ]);
    expect(reply.finish?.edits.map(({ tokens }) => tokens)).toEqual([2, 0, 3]);
    // ‖(3, 4)‖ · 3 over a stream of norm 10
    expect(reply.finish?.edits[2]?.relativeDose).toBeCloseTo(1.5);
    expect(reply.finish?.edits[1]).toMatchObject({ coefficient: null, relativeDose: null });
  });
});
