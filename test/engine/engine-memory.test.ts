import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../engine/core/edit.ts';
import type { EngineEvent } from '../../engine/core/engine-events.ts';
import type { StepPlan } from '../../engine/core/step.ts';
import { createEngine } from '../../engine/engine.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { createFakeExecutor } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { editOf, generate, type Reply, requestFrom } from '../harness/requests.ts';
import { differences, sketchArbitrary, type Visitor, visitorArbitrary } from '../harness/schedules.ts';

const tokenizer = createFakeTokenizer();
const eosTokenIds = [fakeTokens.eos];
/** The most tokens that a request of `sketchArbitrary` takes: a smaller limit would refuse it. */
const largest = 30 + 14;

/** Prompts that begin alike, so that there is something to share. */
const familiarSketch = fc
  .tuple(sketchArbitrary, fc.nat(1), fc.integer({ min: 8, max: 24 }), fc.boolean())
  .map(([sketch, family, common, plain]) => ({
    ...sketch,
    edits: plain ? [] : (sketch.edits ?? []),
    prompt: [...Array.from({ length: common }, (_, at) => 40 + family * 50 + at), ...sketch.prompt].slice(0, 30),
  }));

function count(events: readonly EngineEvent[], type: EngineEvent['type']): number {
  return events.filter((event) => event.type === type).length;
}

describe('replies when KV memory is short', () => {
  it('equal those given alone, whoever joins, leaves, gives way, shares or fails with the batch', async () => {
    const seen = { preempted: 0, retried: 0, cachedTokens: 0, requests: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(visitorArbitrary(familiarSketch), { minLength: 3, maxLength: 20, size: 'max' }),
        fc.constantFrom(3, 8, 16),
        fc.constantFrom(3, 8, 64),
        fc.constantFrom(largest, largest + 20, 2 * largest),
        fc.constantFrom(0, 100, 100_000, 100_000),
        fc.constantFrom(0, 7),
        fc.constantFrom(0, 3),
        fc.boolean(),
        async (visitors, slots, maxChunk, keyValueTokenLimit, prefixBytes, failEvery, growthTokens, ragged) => {
          let batches = 0;
          const { different, events } = await differences(visitors, {
            slots,
            maxChunk,
            keyValueTokenLimit,
            prefixBytes,
            growthTokens,
            ragged,
            onRun: (plan) => {
              if (plan.rows.length > 1 && failEvery > 0 && ++batches % failEvery === 0) throw new Error('no luck');
            },
          });
          expect(different).toEqual([]);
          const once = events.flatMap((event) => (event.type === 'prompt_read' ? [event.requestId] : []));
          expect(new Set(once).size).toBe(once.length);
          seen.preempted += count(events, 'preempted');
          seen.retried += count(events, 'step_retried');
          seen.requests += visitors.length;
          for (const event of events) if (event.type === 'prompt_read') seen.cachedTokens += event.cachedTokens;
        },
      ),
      { numRuns: 40 },
    );
    // far below what any seed reaches: memory must really have run out, and blocks been shared
    expect(seen.preempted).toBeGreaterThan(10);
    expect(seen.retried).toBeGreaterThan(2);
    expect(seen.cachedTokens).toBeGreaterThan(60);
  }, 240_000);

  const twelve = { maxTokens: 12, ignoreEos: true };
  const crowd = (edits: boolean): Visitor[] =>
    Array.from({ length: 6 }, (_, index) => ({
      sketch: {
        prompt: Array.from({ length: 8 }, (_, at) => 50 + 9 * index + at),
        sampling: { temperature: 1, seed: index, presencePenalty: 0.5 },
        stop: twelve,
        logprobs: 2,
        promptLogprobs: index % 2 === 0 ? 1 : null,
        edits: edits ? [editOf(1 + index, 'all'), editOf(2, 'generated'), editOf(3, 'prompt')] : [],
      },
      joinAt: 1,
      leaveAt: null,
    }));

  it('tell and count everything once though rows are preempted in prompt and reply', async () => {
    for (const edits of [false, true]) {
      const { different, events, executor } = await differences(crowd(edits), {
        slots: 6,
        maxChunk: 5,
        keyValueTokenLimit: 48,
        growthTokens: 0,
      });
      expect(different).toEqual([]);
      expect(count(events, 'preempted')).toBeGreaterThan(2);
      expect(count(events, 'started')).toBe(6);
      expect(count(events, 'first_token')).toBe(6);
      expect(count(events, 'next_token')).toBe(6 * 11);
      // read again: more tokens than prompts and replies have
      const tokens = executor.plans.flatMap(({ rows }) => rows).reduce((sum, row) => sum + row.tokens.length, 0);
      expect(tokens).toBeGreaterThan(6 * (8 + 11));
    }
  });

  it.each([6, 7, 8, 9, 10, 11])(
    'go on where a prompt fits beside them, and not what they grow by besides: at run %i',
    async (joinAt) => {
      const visitor = (length: number, at: number): Visitor => ({
        sketch: {
          prompt: Array.from({ length }, (_, n) => 60 + n),
          sampling: { seed: length },
          stop: twelve,
          edits: [],
        },
        joinAt: at,
        leaveAt: null,
      });
      const { different } = await differences([visitor(4, 1), visitor(8, joinAt)], {
        slots: 2,
        maxChunk: 64,
        keyValueTokenLimit: 20,
        growthTokens: 0,
        ragged: true,
      });
      expect(different).toEqual([]);
    },
  );

  it('tell the log-probabilities of a prompt once though it is preempted half read', async () => {
    const sketch = { sampling: { seed: 1 }, promptLogprobs: 2, logprobs: 1, edits: [editOf(2, 'prompt')] };
    const visitors: Visitor[] = [
      { sketch: { prompt: [50, 51, 52, 53], stop: { maxTokens: 30, ignoreEos: true } }, joinAt: 0, leaveAt: null },
      {
        sketch: { ...sketch, prompt: Array.from({ length: 30 }, (_, at) => 60 + at), stop: { maxTokens: 2 } },
        joinAt: 1,
        leaveAt: null,
      },
    ];
    // chunks too slow for two of them to fit between decode steps, so that the first grows while the second reads
    const onRun = ({ kind }: StepPlan) => (kind === 'prefill' ? sleep(15) : undefined);
    const options = { slots: 2, maxChunk: 2, keyValueTokenLimit: 36, growthTokens: 0, onRun };
    const { different, events } = await differences(visitors, options);
    expect(different).toEqual([]);
    const at = (type: EngineEvent['type']) => events.findIndex((event) => event.type === type);
    expect(at('preempted')).toBeGreaterThan(0);
    // the second prompt's, before it was read
    expect(count(events.slice(0, at('preempted')), 'prompt_read')).toBe(1);
  });

  it('never take memory from the request that came first', async () => {
    const { events } = await differences(crowd(false), {
      slots: 6,
      maxChunk: 5,
      keyValueTokenLimit: 40,
      growthTokens: 0,
    });
    const [first] = events.flatMap((event) => (event.type === 'queued' ? [event.requestId] : []));
    const victims = events.flatMap((event) => (event.type === 'preempted' ? [event.requestId] : []));
    expect(victims.length).toBeGreaterThan(0);
    expect(victims).not.toContain(first);
  });

  it('refuses at once what can never fit, naming the limit', async () => {
    const executor = createFakeExecutor({ context: 200 });
    const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 4, keyValueTokenLimit: 50 });
    const request = (maxTokens: number) => requestFrom({ prompt: [50, 51, 52], stop: { maxTokens } });
    expect(() => engine.submit(request(48))).toThrow(
      expect.objectContaining({
        code: 'context_length_exceeded',
        message: expect.stringMatching(/KV memory holds 50/),
      }),
    );
    const reply = await generate(engine, { prompt: [50, 51, 52], stop: { maxTokens: 47, ignoreEos: true } });
    expect(reply.tokenIds).toHaveLength(47);
    expect(engine.statistics()).toMatchObject({ keyValueTokenLimit: 50, keyValueTokenBytes: executor.tokenBytes });
  });
});

describe('a shared prompt', () => {
  const prompt = Array.from({ length: 70 }, (_, at) => 40 + (at % 80));
  const setUp = (shares: boolean) => {
    const executor = createFakeExecutor({ context: 256, maxChunk: 16 });
    const prefix = shares ? createPrefixSharing({ blocks: executor.blocks, budgetBytes: 10_000, salt: '' }) : null;
    const engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 32, prefix });
    return { engine, executor };
  };
  const choices = (edits: readonly Edit[] = []) =>
    Array.from({ length: 4 }, (_, seed) => ({
      prompt,
      sampling: { temperature: 1, seed },
      stop: { maxTokens: 6, ignoreEos: true },
      edits,
    }));
  const cached = (reply: Reply) =>
    reply.events.flatMap((event) => (event.type === 'prompt' ? [event.cachedTokens] : []));

  it.each([
    ['unsteered', []],
    ['steered', [editOf(3, 'all')]],
  ])('is read once by the choices of one request, %s, and told of', async (_, edits) => {
    const { engine, executor } = setUp(true);
    const replies = await Promise.all(choices(edits).map((sketch) => generate(engine, sketch)));
    // whole blocks of the prompt, its last token left to compute
    expect(replies.map(cached)).toEqual([[0], [68], [68], [68]]);
    const read = executor.plans.filter(({ kind }) => kind === 'prefill').flatMap(({ rows }) => rows);
    expect(read.reduce((sum, row) => sum + row.tokens.length, 0)).toBe(70 + 3 * 2);
    const alone = setUp(false).engine;
    for (const [at, sketch] of choices(edits).entries()) {
      const expected = await generate(alone, sketch);
      expect(replies[at]?.tokenIds).toEqual(expected.tokenIds);
      expect(replies[at]?.finish).toEqual(expected.finish);
    }
  });

  it('with its reply serves the next turn of a conversation', async () => {
    const { engine } = setUp(true);
    const first = await generate(engine, { prompt, stop: { maxTokens: 20, ignoreEos: true } });
    const next = await generate(engine, { prompt: [...prompt, ...first.tokenIds, 50, 51], stop: { maxTokens: 2 } });
    expect(cached(next)).toEqual([88]);
    await engine.drain(1000);
    expect(engine.statistics()).toMatchObject({ prefixHits: 88, keyValueTokens: 0 });
    expect(engine.statistics().prefixTokens).toBeGreaterThan(88);
  });
});
