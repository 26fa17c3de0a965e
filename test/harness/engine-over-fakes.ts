import { expect } from 'vitest';
import type { EngineEvent } from '../../engine/core/engine-events.ts';
import type { StepPlan } from '../../engine/core/step.ts';
import { createEngine, type EngineOptions } from '../../engine/engine.ts';
import { findViolations } from '../../engine/scheduler/invariants.ts';
import { createFakeExecutor, type FakeExecutorOptions } from './fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from './fake-tokenizer.ts';
import type { RequestSketch } from './requests.ts';

/** A prompt of three tokens. */
export const prompt = [50, 60, 70];
/** A reply of 30 tokens. */
export const long: RequestSketch['stop'] = { maxTokens: 30, ignoreEos: true };

/** An engine over the fake executor whose scheduler is checked at every step, and what it told its observer. */
export function engineOverFakes(options: FakeExecutorOptions = {}, more: Partial<EngineOptions> = {}) {
  const executor = createFakeExecutor(options);
  const events: EngineEvent[] = [];
  const engine = createEngine({
    executor,
    tokenizer: createFakeTokenizer(),
    eosTokenIds: [fakeTokens.eos],
    queueLimit: 2,
    observer: (event) => events.push(event),
    inspect: (snapshot) => expect(findViolations(snapshot)).toEqual([]),
    ...more,
  });
  const outcomes = () => events.flatMap((event) => (event.type === 'finished' ? [event.outcome] : []));
  return { executor, engine, events, outcomes };
}

/** The requests of a step's rows. */
export const idsOf = (plan: StepPlan | undefined) => plan?.rows.map((row) => row.requestId) ?? [];
