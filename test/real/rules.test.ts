import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Condition, Edit, EngineEvent, PrefixSharing, Probe, Rule, RuleSet } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import { lendExecutor } from '../harness/lend-executor.ts';
import { type Reply, type RequestSketch, read, requestFrom } from '../harness/requests.ts';
import { type ReferenceReply, referenceReply } from '../harness/rules-reference.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

/**
 * Rules on the default model: what a reply is, and what is told of its rules, equals the slow reference that runs the whole sequence anew
 * for every token; alone, with the prefix cache, and beside others where memory is so short that rows give way.
 */
let model: LoadedModel;
beforeAll(async () => {
  model = await loadDefaultModel({ slots: 4 });
});
afterAll(() => model.executor.close());

const random = randomNumbers(11);
const unit = () => {
  const values = Float32Array.from({ length: model.config.dModel }, () => random());
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
};

const probe = (block: number): Probe => ({
  hookPoint: `blocks.${block}.hook_resid_post`,
  direction: unit(),
  bias: 0,
  threshold: Number.NEGATIVE_INFINITY,
  sinkNorm: 500,
  perNorm: false,
});

const edit = (block: number, strength: number): Edit => ({
  hookPoint: `blocks.${block}.hook_resid_post`,
  read: null,
  coefficient: { beta: strength, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
  write: unit(),
  positions: 'all_but_first',
  skipSpecial: false,
  activeAbove: Number.NEGATIVE_INFINITY,
  sinkNorm: Number.POSITIVE_INFINITY,
});

const compare = (at: number, over: 'token' | 'last' | 'mean' | 'max', threshold: number, above = true): Condition => ({
  ...{ kind: 'compare', probe: at, over, above, threshold },
});
const rule = (index: number, when: Condition, more: Partial<Rule>): Rule => ({
  ...{ when, latch: false, edits: [], stop: false, param: `steering.rules[${index}]`, ...more },
});

/** One that comes and goes, one that latches, one over the prompt with a part that comes and goes, one that stops. */
function ruleSets(): RuleSet[] {
  const probes = [probe(9), probe(17)];
  return [
    {
      probes,
      rules: [
        rule(0, compare(0, 'token', 0), { edits: [edit(14, 40), edit(20, 30)] }),
        rule(1, { kind: 'not', of: compare(1, 'token', -1) }, { latch: true, edits: [edit(5, 8)] }),
      ],
    },
    {
      probes,
      rules: [
        rule(
          0,
          { kind: 'any', of: [compare(1, 'mean', 1e6), compare(1, 'token', 0.5, false)] },
          { edits: [edit(14, 40)] },
        ),
        rule(1, { kind: 'all', of: [compare(0, 'max', -1e6), compare(0, 'last', -1e6)] }, { edits: [edit(22, 20)] }),
      ],
    },
    { probes, rules: [rule(0, compare(0, 'token', 0.5), { stop: true }), rule(1, compare(1, 'last', -1e6), {})] },
  ];
}

const prompts = [
  'The river ran past the old mill beside the market and the church, and the children who lived there liked to',
  'The river ran past the old mill beside the market and the church, and the letter that came in winter said that',
  'Bread, wine and a garden: that is all that a teacher in the town of',
];

describe('rules on the default model', () => {
  it('do what the slow reference does: alone, from the prefix cache, and where rows give way', async () => {
    const { tokenizer } = model;
    const always = edit(3, 4);
    const sketches: RequestSketch[] = ruleSets().flatMap((rules, set) =>
      prompts.map((text, at) => ({
        id: `set-${set}-prompt-${at}`,
        prompt: [...tokenizer.encode(text, { addSpecialTokens: true })],
        rules,
        edits: set === 1 ? [always] : [],
        stop: { maxTokens: 10, ignoreEos: true },
      })),
    );
    const expected: ReferenceReply[] = [];
    for (const sketch of sketches) expected.push(await referenceReply(model.executor, requestFrom(sketch)));
    // or else nothing has been shown
    expect(expected.some(({ stoppedBy }) => stoppedBy !== null)).toBe(true);
    const held = expected.flatMap(({ holds }) => holds).map((one) => one.join(' '));
    expect(held.some((one) => one.includes('true false'))).toBe(true);

    const alone = engineOf(null);
    for (const [at, sketch] of sketches.entries()) {
      check(await read(alone.submit(requestFrom(sketch))), sketch, expected[at]);
    }
    await alone.close();

    // each prompt is there from the set before, but for the second set, whose edit touches it
    const calm = createPrefixSharing({ ...sharing(), salt: 'calm' });
    const shared = engineOf(calm);
    const cached: number[] = [];
    for (const at of [...sketches.keys()].filter((index) => index % 3 !== 1)) {
      const reply = await read(shared.submit(requestFrom(sketches[at] as RequestSketch)));
      check(reply, sketches[at] as RequestSketch, expected[at]);
      const [told] = reply.events;
      cached.push(told?.type === 'prompt' ? told.cachedTokens : -1);
    }
    await shared.close();
    calm?.evict(Number.MAX_SAFE_INTEGER);
    // the second set reads whole prompts and is edited; the third finds what the first has left
    expect(cached).toEqual([0, 0, 0, 0, 16, 16]);

    const prefix = createPrefixSharing({ ...sharing(), salt: 'crowded' });
    const events: EngineEvent[] = [];
    // room for two rows or so: of four, some give way
    const crowded = engineOf(prefix, 110, (event) => events.push(event));
    const replies = await Promise.all(
      [...sketches, ...sketches].map((sketch, at) => read(crowded.submit(requestFrom({ ...sketch, id: `${at}` })))),
    );
    replies.forEach((reply, at) => {
      const index = at % sketches.length;
      check(reply, sketches[index] as RequestSketch, expected[index]);
    });
    console.log('rows that gave way', events.filter(({ type }) => type === 'preempted').length);
    expect(events.some(({ type }) => type === 'preempted')).toBe(true);
    await crowded.close();
    prefix?.evict(Number.MAX_SAFE_INTEGER);
  }, 600_000);
});

function sharing() {
  const { blocks } = model.executor;
  return { blocks, budgetBytes: 60 * blocks.blockBytes };
}

function engineOf(prefix: PrefixSharing | null, keyValueTokenLimit?: number, observer?: (event: EngineEvent) => void) {
  const common = {
    executor: lendExecutor(model.executor),
    tokenizer: model.tokenizer,
    eosTokenIds: [],
    queueLimit: 64,
  };
  return createEngine({ ...common, prefix, growthTokens: 0, keyValueTokenLimit, observer });
}

function check(reply: Reply, sketch: RequestSketch, expected: ReferenceReply | undefined): void {
  expect(reply.error).toBeNull();
  // beyond a near tie a reply may rightly differ: it was rounded otherwise
  const tie = expected?.margins.findIndex((margin) => margin < 1e-3) ?? -1;
  const decided = tie < 0 ? Number.POSITIVE_INFINITY : tie;
  expect(reply.tokenIds.slice(0, decided)).toEqual(expected?.tokenIds.slice(0, decided));
  if (tie >= 0) return;
  expect(reply.finish?.reason === 'rule' ? reply.finish.stopReason : null).toBe(expected?.stoppedBy);
  expected?.holds.forEach((one, at) => {
    const report = reply.finish?.rules?.[at];
    const first = one.indexOf(true);
    expect(report?.firstFired ?? -1).toBe(first < 0 ? -1 : first - 1);
    const touched = one.slice(0, -1).filter((holds, position) => holds && position >= sketch.prompt.length).length;
    for (const { tokens } of report?.edits ?? []) expect(tokens).toBe(touched);
  });
}
