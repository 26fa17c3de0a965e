import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TillerError } from '../../engine/core/errors.ts';
import type { StepOutcome } from '../../engine/generation.ts';
import { HandOut } from '../../engine/hand-out.ts';
import { engineOverFakes, idsOf, long, prompt } from '../harness/engine-over-fakes.ts';
import { generate, type Reply } from '../harness/requests.ts';

const outcome: StepOutcome = { finished: false, events: [] };

describe('what a step gave', () => {
  it('is handed out when the event loop turns, each part once', async () => {
    const told: unknown[] = [];
    const handOut = new HandOut((...all) => told.push(all));
    await handOut.done();
    const failure = new TillerError('step_failed', 'no');
    const outcomes = new Map<string, StepOutcome | TillerError>([
      ['a', outcome],
      ['b', failure],
    ]);
    handOut.add(outcomes, 7);
    handOut.now('nobody');
    await Promise.resolve();
    expect(told).toEqual([]);
    handOut.now('b');
    expect(told).toEqual([['b', failure, 7]]);
    await handOut.done();
    expect(told).toEqual([
      ['b', failure, 7],
      ['a', outcome, 7],
    ]);
  });

  it('throws where it is waited for when it cannot be handed out', async () => {
    const handOut = new HandOut(() => {
      throw new Error('a mistake');
    });
    handOut.add(new Map([['a', outcome]]), 0);
    await nextTurn();
    await nextTurn();
    await expect(handOut.done()).rejects.toThrow('a mistake');
  });

  it('reaches its request while the next step runs', async () => {
    const begun: number[] = [];
    const { engine, executor } = engineOverFakes(
      { onRun: () => new Promise((resolve) => setTimeout(resolve, 1)) },
      { observer: ({ type }) => type === 'next_token' && begun.push(executor.plans.length) },
    );
    expect((await generate(engine, { prompt, stop: { maxTokens: 5, ignoreEos: true } })).tokenIds).toHaveLength(5);
    // token 2 is step 2's, and step 3 has begun when it is told; the last is followed by none
    expect(begun).toEqual([3, 4, 5, 5]);
  });

  it('is not lost where the name of a finished request is taken again before it is told', async () => {
    let again: Promise<Reply> | null = null;
    const { engine, outcomes } = engineOverFakes({
      onRun: (plan) => {
        // `short` was in every step until it had its three tokens
        if (again || plan.kind !== 'decode' || idsOf(plan).includes('short')) return;
        again = generate(engine, { id: 'short', prompt, stop: { maxTokens: 5, ignoreEos: true } });
      },
    });
    const [short, other] = await Promise.all([
      generate(engine, { id: 'short', prompt, stop: { maxTokens: 3, ignoreEos: true } }),
      generate(engine, { id: 'other', prompt, stop: long }),
    ]);
    expect(short.finish?.completionTokens).toBe(3);
    expect(other.finish?.completionTokens).toBe(30);
    expect((await (again as Promise<Reply> | null))?.finish?.completionTokens).toBe(5);
    expect(outcomes()).toEqual(['length', 'length', 'length']);
  });
});
