import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../engine/core/engine-events.ts';
import type { Rule } from '../../../engine/core/rule.ts';
import { createPrefixSharing } from '../../../engine/prefix-sharing.ts';
import { engineOverFakes } from '../../harness/engine-over-fakes.ts';
import { createFakeExecutor } from '../../harness/fake-executor.ts';
import { editOf, generate, type RequestSketch, requestFrom } from '../../harness/requests.ts';
import { fakeProbe, ruleSetArbitrary } from '../../harness/rule-sketches.ts';
import { referenceReply } from '../../harness/rules-reference.ts';
import { differences, sketchArbitrary, visitorArbitrary } from '../../harness/schedules.ts';

const greedy: fc.Arbitrary<RequestSketch> = fc
  .record({
    prompt: fc.array(fc.integer({ min: 4, max: 259 }), { minLength: 1, maxLength: 20, size: 'max' }),
    maxTokens: fc.integer({ min: 1, max: 14 }),
    rules: ruleSetArbitrary,
    steered: fc.boolean(),
  })
  .map(({ maxTokens, steered, ...sketch }) => ({
    ...sketch,
    edits: steered ? [editOf(3, 'all', 'blocks.1.hook_resid_post')] : [],
    stop: { maxTokens, ignoreEos: true },
  }));

function count(events: readonly EngineEvent[], type: EngineEvent['type']): number {
  return events.filter((event) => event.type === type).length;
}

describe('rules in the engine', () => {
  it('do what the slow reference does, token by token', async () => {
    const seen = { fired: 0, stopped: 0, released: 0 };
    await fc.assert(
      fc.asyncProperty(greedy, fc.constantFrom(1, 3, 8), async (sketch, maxChunk) => {
        const expected = await referenceReply(createFakeExecutor({ maxChunk }), requestFrom(sketch));
        const { engine, executor } = engineOverFakes({ maxChunk });
        const reply = await generate(engine, sketch);
        expect(reply.error).toBeNull();
        expect(reply.tokenIds).toEqual(expected.tokenIds);
        expect(reply.finish?.reason === 'rule' ? reply.finish.stopReason : null).toBe(expected.stoppedBy);
        for (const [at, rule] of (sketch.rules?.rules ?? []).entries()) {
          checkRule(rule, at, sketch, reply.finish?.rules?.[at], expected.holds);
        }
        const held = expected.holds.flat();
        if (held.includes(true)) seen.fired++;
        if (expected.stoppedBy !== null) seen.stopped++;
        if (expected.holds.some((one) => one.join('').includes('truefalse'))) seen.released++;
        expect(executor.memory().slots.every((tokens) => tokens === 0)).toBe(true);
      }),
      { numRuns: 150 },
    );
    expect(seen.fired).toBeGreaterThan(30);
    expect(seen.stopped).toBeGreaterThan(6);
    expect(seen.released).toBeGreaterThan(6);
  }, 120_000);

  it('give the same reply and reports whoever shares the batch, the memory and the prompt', async () => {
    const seen = { preempted: 0, retried: 0, cached: 0 };
    const sketch = fc
      .tuple(sketchArbitrary, fc.option(ruleSetArbitrary, { freq: 4 }), fc.nat(1), fc.integer({ min: 8, max: 24 }))
      .map(([one, rules, family, common]) => ({
        ...one,
        ...(rules ? { rules } : {}),
        prompt: [...Array.from({ length: common }, (_, at) => 40 + family * 50 + at), ...one.prompt].slice(0, 30),
      }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(visitorArbitrary(sketch), { minLength: 3, maxLength: 16, size: 'max' }),
        fc.constantFrom(3, 8, 64),
        fc.constantFrom(44, 64, 88),
        fc.constantFrom(0, 100_000, 100_000),
        fc.constantFrom(0, 7),
        fc.boolean(),
        async (visitors, maxChunk, keyValueTokenLimit, prefixBytes, failEvery, ragged) => {
          let batches = 0;
          const { different, events } = await differences(visitors, {
            slots: 8,
            maxChunk,
            keyValueTokenLimit,
            prefixBytes,
            growthTokens: 0,
            ragged,
            onRun: (plan) => {
              if (plan.rows.length > 1 && failEvery > 0 && ++batches % failEvery === 0) throw new Error('no luck');
            },
          });
          expect(different).toEqual([]);
          seen.preempted += count(events, 'preempted');
          seen.retried += count(events, 'step_retried');
          for (const event of events) if (event.type === 'prompt_read') seen.cached += event.cachedTokens;
        },
      ),
      { numRuns: 24 },
    );
    expect(seen.preempted).toBeGreaterThan(5);
    expect(seen.retried).toBeGreaterThan(2);
    expect(seen.cached).toBeGreaterThan(40);
  }, 240_000);

  it('read nothing of a prompt from the cache that a condition reads', async () => {
    const prompt = Array.from({ length: 24 }, (_, at) => 60 + at);
    const rules = (over: 'token' | 'mean' | 'last') => ({
      probes: [fakeProbe(20)],
      rules: [rule({ when: { kind: 'compare', probe: 0, over, above: true, threshold: 0 } })],
    });
    const executor = createFakeExecutor();
    const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes: 10_000, salt: '' });
    const shared = engineOverFakes({}, { executor, prefix }).engine;
    const cached = async (sketch: RequestSketch) => {
      const [first] = (await generate(shared, sketch)).events;
      return first?.type === 'prompt' ? first.cachedTokens : null;
    };
    expect(await cached({ prompt })).toBe(0);
    expect(await cached({ prompt })).toBe(20);
    expect(await cached({ prompt, rules: rules('mean') })).toBe(0);
    expect(await cached({ prompt, rules: rules('last') })).toBe(20);
    expect(await cached({ prompt, rules: rules('token') })).toBe(20);
  });

  it('end the reply before its first token where the prompt is enough to judge by', async () => {
    const { engine, outcomes } = engineOverFakes();
    const always = { kind: 'compare', probe: 0, over: 'max', above: true, threshold: -2 } as const;
    const reply = await generate(engine, {
      prompt: [50, 60, 70],
      rules: { probes: [fakeProbe(20)], rules: [rule({ when: always, stop: true })] },
    });
    expect(reply.tokenIds).toEqual([]);
    expect(reply.finish).toMatchObject({ reason: 'rule', stopReason: 'steering.rules[0]', completionTokens: 0 });
    expect(reply.finish?.rules).toMatchObject([{ firstFired: 2, timesFired: 1, stopped: true, tokensRead: 2 }]);
    expect(outcomes()).toEqual(['rule']);
  });

  it('refuses rules that compare nothing, or with what is no number', async () => {
    const { engine } = engineOverFakes();
    const one = (when: Rule['when']) => ({ probes: [fakeProbe(20)], rules: [rule({ when })] });
    const submit = (when: Rule['when']) => () => engine.submit(requestFrom({ prompt: [50], rules: one(when) }));
    expect(submit({ kind: 'all', of: [] })).toThrow(/compares nothing/);
    expect(submit({ kind: 'compare', probe: 1, over: 'token', above: true, threshold: 0 })).toThrow(/no probe 1/);
    expect(submit({ kind: 'compare', probe: 0, over: 'token', above: true, threshold: Number.NaN })).toThrow(/finite/);
  });
});

function rule(more: Pick<Rule, 'when'> & Partial<Rule>): Rule {
  return { latch: false, edits: [], stop: false, param: 'steering.rules[0]', ...more };
}

/** Holds what a rule reports against what the reference says of it. */
function checkRule(
  { latch, edits, stop }: Rule,
  at: number,
  sketch: RequestSketch,
  report:
    | { firstFired: number | null; latched: boolean; stopped: boolean; edits: readonly { tokens: number }[] }
    | undefined,
  holds: readonly (readonly boolean[])[],
): void {
  const held = holds[at] ?? [];
  const first = held.indexOf(true);
  // verdicts of the last token of a reply are never given: it is not read
  expect(report?.firstFired ?? -1).toBe(first < 0 ? -1 : first - 1);
  expect(report?.latched).toBe(latch && first >= 0);
  if (!stop) expect(report?.stopped).toBe(false);
  const start = sketch.prompt.length;
  const read = held.slice(0, -1).filter((value, position) => value && position >= start).length;
  expect(report?.edits.map(({ tokens }) => tokens)).toEqual(edits.map(() => read));
}
