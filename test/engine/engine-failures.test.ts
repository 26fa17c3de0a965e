import { describe, expect, it } from 'vitest';
import { TillerError } from '../../engine/core/errors.ts';
import type { PrefixSharing } from '../../engine/core/prefix-sharing.ts';
import { engineOverFakes, idsOf, long, prompt } from '../harness/engine-over-fakes.ts';
import { editOf, generate, requestFrom } from '../harness/requests.ts';

describe('a step that fails', () => {
  it('in a batch costs only the row that fails by itself', async () => {
    const { engine, executor, outcomes } = engineOverFakes({
      onRun: (plan) => {
        if (plan.kind === 'decode' && idsOf(plan).includes('bad') && plan.rows.some((row) => row.start === 6)) {
          throw new Error('bad weather');
        }
      },
    });
    const good = await generate(engineOverFakes().engine, { id: 'good', prompt, stop: long });
    const replies = await Promise.all(
      ['good', 'bad', 'also-good'].map((id) => generate(engine, { id, prompt, stop: long })),
    );
    expect(replies[1]?.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('bad weather') });
    for (const reply of [replies[0], replies[2]]) {
      expect(reply?.error).toBeNull();
      expect(reply?.tokenIds).toEqual(good.tokenIds);
    }
    const failed = executor.plans.findIndex(
      (plan) => plan.rows.length === 3 && plan.rows.some((row) => row.start === 6),
    );
    expect(executor.plans.slice(failed + 1, failed + 4).map(idsOf)).toEqual([['good'], ['bad'], ['also-good']]);
    expect(outcomes().sort()).toEqual(['error', 'length', 'length']);
  });

  it('keeps the code of a typed failure', async () => {
    const { engine } = engineOverFakes({
      onRun: () => {
        throw new TillerError('edit_not_applicable', 'too wide');
      },
    });
    expect((await generate(engine, { prompt })).error?.code).toBe('edit_not_applicable');
  });

  it('in prefill costs that row alone', async () => {
    const { engine } = engineOverFakes({
      onRun: (plan) => {
        if (plan.kind === 'prefill' && idsOf(plan)[0] === 'bad') throw new Error('no');
      },
    });
    const [good, bad, next] = await Promise.all(
      ['good', 'bad', 'next'].map((id) => generate(engine, { id, prompt, stop: long })),
    );
    expect(bad?.error?.code).toBe('step_failed');
    expect(bad?.events).toEqual([]);
    expect(good?.tokenIds).toEqual(next?.tokenIds);
    expect(good?.tokenIds).toHaveLength(30);
  });

  it('because a slot could not be copied costs the row that was to be moved', async () => {
    let failures = 1;
    const { engine, executor } = engineOverFakes({
      onCopy: () => {
        if (failures-- > 0) throw new Error('no memory');
        return true;
      },
    });
    const [first, ...others] = await Promise.all(
      [3, 30, 30].map((maxTokens) => generate(engine, { prompt, stop: { maxTokens, ignoreEos: true } })),
    );
    expect(first?.error).toBeNull();
    expect(others.map((reply) => reply.error?.code ?? 'ok').sort()).toEqual(['ok', 'step_failed']);
    expect(executor.copies.length).toBeGreaterThan(1);
  });

  it('passes on no garbage when logits are not finite', async () => {
    const { engine } = engineOverFakes({ poison: (row) => row.requestId === 'hot' && row.start > 4 });
    const [hot, cool] = await Promise.all(['hot', 'cool'].map((id) => generate(engine, { id, prompt, stop: long })));
    expect(hot?.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('not finite') });
    expect(hot?.tokenIds).toEqual(cool?.tokenIds.slice(0, hot?.tokenIds.length));
    expect(cool?.tokenIds).toHaveLength(30);
    const prompted = await generate(engine, { id: 'hot', prompt: [...prompt, 1, 2, 3, 4, 5, 6, 7], promptLogprobs: 1 });
    expect(prompted.error?.code).toBe('step_failed');
  });
});

describe('an edit', () => {
  it('that reads something that is not finite fails its request and says which', async () => {
    const { engine } = engineOverFakes({
      reading: (reading, row) =>
        row.start > 4
          ? { ...reading, readingBefore: reading.readingBefore.map(() => Number.POSITIVE_INFINITY) }
          : reading,
    });
    const reply = await generate(engine, { prompt, stop: long, edits: [editOf(1, 'last'), editOf(2)] });
    expect(reply.error).toMatchObject({ code: 'edit_not_applicable', param: 'steering.edits[1]' });
    expect(reply.error?.message).toContain('position 5');
  });

  it('that was not applied where it should be, or was where it should not, fails its request', async () => {
    const left = engineOverFakes({ reading: (reading) => ({ ...reading, gate: reading.gate.map(() => 0) }) });
    const leftOut = await generate(left.engine, { prompt, edits: [editOf(1)] });
    expect(leftOut.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('left out') });
    const right = engineOverFakes({ reading: (reading) => ({ ...reading, gate: reading.gate.map(() => 1) }) });
    const outside = await generate(right.engine, { prompt, edits: [editOf(1, 'last')] });
    expect(outside.error?.message).toContain('outside');
  });

  it('may be left out at sinks and where it is inactive', async () => {
    const { engine } = engineOverFakes({
      reading: (reading, row) =>
        row.start === 0 ? { ...reading, gate: reading.gate.map(() => 0), sink: reading.gate } : reading,
    });
    const stop = { maxTokens: 3, ignoreEos: true };
    const reply = await generate(engine, { prompt, stop, edits: [editOf(1)] });
    expect(reply.finish?.edits[0]).toMatchObject({ tokens: 2, sinkTokens: 3 });
    const inactive = engineOverFakes({
      reading: ({ gate, readingBefore, ...rest }) => ({
        ...rest,
        gate: gate.map(() => 0),
        readingBefore: readingBefore.map(() => 0.4),
      }),
    });
    const quiet = await generate(inactive.engine, { prompt, stop, edits: [{ ...editOf(1), activeAbove: 0.5 }] });
    expect(quiet.finish?.edits[0]).toMatchObject({ tokens: 0, coefficient: null });
  });

  it('that writes only where its feature is active is held to what it read there', async () => {
    const stop = { maxTokens: 3, ignoreEos: true };
    const run = (gate: number, read: number) =>
      generate(
        engineOverFakes({
          reading: (reading) => ({
            ...reading,
            gate: reading.gate.map(() => gate),
            readingBefore: reading.gate.map(() => read),
          }),
        }).engine,
        { prompt, stop, edits: [{ ...editOf(1), activeAbove: 0.5 }] },
      );
    expect((await run(1, 0.6)).finish?.edits[0]?.tokens).toBeGreaterThan(0);
    expect((await run(0, 0.5)).finish?.edits[0]?.tokens).toBe(0);
    expect((await run(0, 0.6)).error?.message).toContain('left out');
    expect((await run(1, 0.5)).error?.message).toContain('not active');
  });

  it('waits for its graph variant while others run, and fails alone when that cannot be built', async () => {
    const asked: unknown[] = [];
    const gates = new Map<string, () => void>();
    const { engine, executor } = engineOverFakes({
      prepare: (sites) => {
        asked.push(sites);
        if (sites.edits.includes('blocks.9.hook_resid_post')) return Promise.reject(new Error('no such block'));
        return new Promise((resolve) => gates.set(sites.edits.join(), resolve));
      },
    });
    const site = 'blocks.0.hook_resid_post';
    const steered = generate(engine, { id: 'steered', prompt, edits: [editOf(1), editOf(2)], stop: long });
    const broken = await generate(engine, { prompt, edits: [editOf(1, 'all', 'blocks.9.hook_resid_post')] });
    expect(broken.error).toMatchObject({ code: 'step_failed', message: expect.stringContaining('no such block') });
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
    expect(executor.plans.flatMap(idsOf)).not.toContain('steered');
    expect(engine.statistics()).toMatchObject({ waiting: 1, running: 0 });
    gates.get(site)?.();
    expect((await steered).tokenIds).toHaveLength(30);
    expect(asked).toEqual([
      { edits: [site], taps: [] },
      { edits: ['blocks.9.hook_resid_post'], taps: [] },
    ]);
  });
});

describe('a mistake in the account of memory', () => {
  it('ends every reply with an error and takes no more, rather than go on wrongly', async () => {
    const blocks = { tokens: 0 };
    const prefix: PrefixSharing = {
      get tokens() {
        return blocks.tokens;
      },
      known: () => 0,
      restore: async () => 0,
      keep: async () => {
        // holds more than there is, and lets go of nothing
        blocks.tokens = 1e9;
      },
      evict: () => 0,
      statistics: () => ({ queries: 0, hits: 0, blocksEvicted: 0 }),
    };
    const { engine, outcomes } = engineOverFakes({}, { prefix, inspect: undefined });
    const replies = await Promise.all([1, 2].map(() => generate(engine, { prompt, stop: long })));
    expect(replies.map((reply) => reply.error?.code)).toEqual(['internal', 'internal']);
    expect(outcomes()).toEqual(['error', 'error']);
    expect(() => engine.submit(requestFrom({ prompt }))).toThrow(/KV memory/);
    await engine.close();
  });
});
