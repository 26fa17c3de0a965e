import { describe, expect, it } from 'vitest';
import { engineOverFakes, long, prompt } from '../harness/engine-over-fakes.ts';
import { editOf, generate } from '../harness/requests.ts';

describe('observation', () => {
  it('tells of every stage with its numbers', async () => {
    const { engine, events } = engineOverFakes({ maxChunk: 2 });
    const stop = { maxTokens: 2, ignoreEos: true };
    await generate(engine, { id: 'a', prompt, stop, edits: [editOf(1, 'generated')] });
    expect(events.map((event) => event.type)).toEqual([
      'queued',
      'started',
      'step',
      'step',
      'prompt_read',
      'first_token',
      'step',
      'next_token',
      'finished',
    ]);
    expect(events[0]).toMatchObject({ promptTokens: 3, maxTokens: 2 });
    expect(events.filter((event) => event.type === 'step')).toMatchObject([
      { kind: 'prefill', rows: 1, steeredRows: 0, distinctSteerings: 0, tokens: 2, predictedMilliseconds: null },
      { kind: 'prefill', rows: 1, steeredRows: 1, distinctSteerings: 1, tokens: 1, editedTokens: 1 },
      { kind: 'decode', rows: 1, steeredRows: 1, distinctSteerings: 1, tokens: 1, editedTokens: 1 },
    ]);
    for (const event of events) {
      if (event.type !== 'step') continue;
      const { plan, run, commit } = event.phases;
      expect(Math.min(plan, run, commit)).toBeGreaterThanOrEqual(0);
      expect(plan + run + commit).toBeCloseTo(event.milliseconds, 6);
    }
    expect(events[4]).toMatchObject({ steeringClass: 'decode_only', promptTokens: 3, cachedTokens: 0 });
    const last = events.at(-1);
    expect(last).toMatchObject({ outcome: 'length', promptTokens: 3, completionTokens: 2, steered: true });
    if (last?.type !== 'finished') throw new Error('the last event is not the end');
    const parts = [last.queueMilliseconds, last.prefillMilliseconds, last.decodeMilliseconds];
    expect(parts.reduce((sum: number, part) => sum + (part ?? Number.NaN), 0)).toBeCloseTo(last.milliseconds, 6);
  });

  it('counts steerings that differ, and tokens once for each edit that names them', async () => {
    const { engine, events } = engineOverFakes({ maxChunk: 64 }, { queueLimit: 8 });
    const stop = { maxTokens: 20, ignoreEos: true };
    const edits = [[editOf(1)], [editOf(1)], [editOf(2), editOf(3)], [], [editOf(1, 'prompt')]];
    await Promise.all(edits.map((one) => generate(engine, { prompt, stop, edits: one })));
    const steps = events.flatMap((event) => (event.type === 'step' ? [event] : []));
    expect(steps.find(({ kind, rows }) => kind === 'decode' && rows === 5)).toMatchObject({
      steeredRows: 3,
      distinctSteerings: 2,
      tokens: 5,
      editedTokens: 1 + 1 + 2,
    });
    const prefills = steps.filter(({ kind }) => kind === 'prefill').map(({ editedTokens }) => editedTokens);
    // position 0 is no part of `prompt`
    expect(prefills.sort()).toEqual([0, 2, 3, 3, 6]);
    const classes = events.flatMap((event) => (event.type === 'prompt_read' ? [event.steeringClass] : []));
    expect(classes.sort()).toEqual(['none', 'prompt', 'prompt', 'prompt', 'prompt']);
  });

  it('tells of a batch that ran again row by row, and of a row whose logits are no numbers', async () => {
    const { engine, events } = engineOverFakes({
      onRun: (plan) => {
        if (plan.rows.length === 2 && plan.rows[0]?.start === 8) throw new Error('once');
      },
      poison: (row) => row.requestId === 'hot' && row.start > 12,
    });
    await Promise.all(['hot', 'cool'].map((id) => generate(engine, { id, prompt, stop: long })));
    expect(events.filter((event) => event.type === 'step_retried')).toEqual([{ type: 'step_retried', rows: 2 }]);
    expect(events.filter((event) => event.type === 'corrupted')).toEqual([{ type: 'corrupted', requestId: 'hot' }]);
    const ends = events.flatMap((event) => (event.type === 'finished' ? [[event.requestId, event.outcome]] : []));
    expect(ends).toEqual([
      ['hot', 'error'],
      ['cool', 'length'],
    ]);
  });

  it('predicts steps once it has seen some', async () => {
    const { engine, events } = engineOverFakes();
    await generate(engine, { prompt, stop: long });
    const decodes = events.flatMap((event) => (event.type === 'step' && event.kind === 'decode' ? [event] : []));
    expect(decodes[0]?.predictedMilliseconds).toBeNull();
    expect(decodes.slice(1).every((event) => (event.predictedMilliseconds ?? 0) > 0)).toBe(true);
  });

  it('that throws stops nothing', async () => {
    const { engine } = engineOverFakes(
      {},
      {
        observer: () => {
          throw new Error('a metrics bug');
        },
      },
    );
    expect((await generate(engine, { prompt, stop: long })).tokenIds).toHaveLength(30);
  });

  it('counts tokens in the cache', async () => {
    let seen = 0;
    const { engine } = engineOverFakes({
      onRun: () => {
        seen = Math.max(seen, engine.statistics().keyValueTokens);
      },
    });
    await generate(engine, { prompt, stop: { maxTokens: 5, ignoreEos: true } });
    expect(seen).toBe(3 + 3);
  });
});
