import { setTimeout as sleep } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type LabelChoice,
  openEvidence,
  planLabels,
  runLabels,
  runScores,
  type ScoreChoice,
} from '../../../sae-registry/labelling/index.ts';
import { findArtifact, type KnownSource, openStore, type Store } from '../../../sae-registry/store/index.ts';
import { jobs, labelScores, labels } from '../../../sae-registry/store/schema.ts';
import { createEndpointLabeller } from '../../../src/labelling/endpoint-labeller.ts';
import { RateGate } from '../../../src/labelling/rate-gate.ts';
import { Spending } from '../../../src/labelling/spending.ts';
import { addWordLabels, wordSource } from '../../sae-registry/labelling/word-source.ts';
import {
  type AskedQuestion,
  type FakeEndpoint,
  fakeEndpoint,
  type ScriptedAnswer,
  wordOracle,
} from './fake-endpoint.ts';

let store: Store;
let source: KnownSource;
beforeEach(async () => {
  store = await openStore(null);
  source = wordSource(store);
});
const open: FakeEndpoint[] = [];
afterEach(async () => {
  for (const endpoint of open.splice(0)) await endpoint.close();
  store.close();
});

async function labellerAt(
  answer: (question: AskedQuestion) => ScriptedAnswer | Promise<ScriptedAnswer>,
  model = 'oracle',
) {
  const fake = await fakeEndpoint(answer);
  open.push(fake);
  const labeller = createEndpointLabeller({
    ...{ endpoint: fake.endpoint, model, key: null, answerTokens: 50, timeoutMilliseconds: 30_000 },
    ...{ retries: 0, firstRetryMilliseconds: 1, spending: new Spending(), onNotice: () => {} },
    gate: new RateGate({ requestsPerMinute: null, tokensPerMinute: null }),
  });
  return { fake, labeller };
}
type At = Awaited<ReturnType<typeof labellerAt>>;

const all: LabelChoice = { features: null, limit: null, onlyUnlabelled: false, replace: false };
const label = (at: At | null, choice: Partial<LabelChoice> = {}) =>
  runLabels({
    ...{ store, source, evidence: openEvidence(store, source.key), choice: { ...all, ...choice } },
    ...{ labeller: at?.labeller ?? null, concurrency: 4, onProgress: () => {} },
  });
const everything: ScoreChoice = {
  ...{ methods: ['detection', 'fuzzing'], features: null, limit: null, replace: false },
  ...{ method: null, author: null, seed: 1, passages: 10, batch: 5 },
};
const score = (at: At, choice: Partial<ScoreChoice> = {}) =>
  runScores({
    ...{ store, source, evidence: openEvidence(store, source.key), choice: { ...everything, ...choice } },
    ...{ labeller: at.labeller, concurrency: 4, onProgress: () => {} },
  });
const stored = () => store.db.select().from(labels).orderBy(labels.feature, labels.id).all();

describe('labels of a model', () => {
  it('are made for every feature, with method, author and where they are from', async () => {
    const at = await labellerAt((question) => sleep(20).then(() => wordOracle(question)));
    expect(await label(at)).toEqual({ labelled: 24, failed: new Map() });
    const made = stored();
    expect(made.map(({ text }) => text)).toEqual(Array.from({ length: 24 }, (_, feature) => `word${feature}`));
    expect(new Set(made.map(({ method, author }) => `${method} ${author}`))).toEqual(new Set(['llm-examples oracle']));
    expect(new Set(made.map(({ artifact }) => artifact)).size).toBe(1);
    expect(findArtifact(store, made[0]?.artifact ?? 0)).toMatchObject({
      kind: 'run',
      origin: 'tiller sae label tiny-model/res (llm-examples, oracle)',
    });
    expect(at.fake.mostAtOnce()).toBeLessThanOrEqual(4);
    expect(at.fake.mostAtOnce()).toBeGreaterThan(1);
    expect(store.db.select().from(jobs).get()).toMatchObject({ state: 'done', done: 24, total: 24, error: null });
  });

  it('are made only where they are missing', async () => {
    const at = await labellerAt(wordOracle);
    await label(at, { features: [3, 5] });
    expect(at.fake.questions).toHaveLength(2);
    await label(at);
    expect(at.fake.questions).toHaveLength(24);
    await label(at);
    expect(at.fake.questions).toHaveLength(24);
  });

  it('go on after a failure with what is missing', async () => {
    const broken = await labellerAt((question) =>
      question.number < 10 ? wordOracle(question) : { status: 401, body: '{"error": {"message": "bad key"}}' },
    );
    await expect(label(broken)).rejects.toMatchObject({ code: 'labeller_refused' });
    expect(stored()).toHaveLength(10);
    expect(store.db.select().from(jobs).get()).toMatchObject({ state: 'failed', done: 10, error: /bad key/ });
    const whole = await labellerAt(wordOracle);
    expect(await label(whole)).toMatchObject({ labelled: 14 });
    expect(whole.fake.questions).toHaveLength(14);
    expect(stored()).toHaveLength(24);
    expect(store.db.select().from(jobs).all()).toMatchObject([{ state: 'done', done: 24, total: 24 }]);
  });

  it('are not made up from answers that hold none, or that do not come', async () => {
    const at = await labellerAt((question) =>
      question.number === 4
        ? 'I cannot say.'
        : question.number === 7
          ? { status: 500, body: 'broken' }
          : wordOracle(question),
    );
    const { labelled, failed } = await label(at);
    expect(labelled).toBe(22);
    expect([...failed.values()]).toEqual([1, 1]);
    expect([...failed.keys()].join()).toMatch(/no label.*answers 500: broken/s);
    expect(stored()).toHaveLength(22);
    expect(await label(await labellerAt(wordOracle))).toMatchObject({ labelled: 2 });
  });

  it('stop where an endpoint fails all the time', async () => {
    const at = await labellerAt(() => ({ status: 500, body: 'broken' }));
    await expect(label(at)).rejects.toMatchObject({
      code: 'labeller_unavailable',
      message: /10 requests in a row.*broken/,
    });
    expect(at.fake.questions.length).toBeLessThan(15);
  });

  it('leave alone what others have labelled, where they are told to', async () => {
    addWordLabels(store, source, 3, 'somebody');
    store.db.delete(labels).where(eq(labels.feature, 7)).run();
    const at = await labellerAt(wordOracle);
    expect(await label(at, { onlyUnlabelled: true })).toMatchObject({ labelled: 1 });
    expect(stored().filter(({ author }) => author === 'oracle')).toMatchObject([{ feature: 7 }]);
    // their own do not count as others', so that a second run changes nothing
    expect(await label(at, { onlyUnlabelled: true })).toMatchObject({ labelled: 0 });
  });

  it('replace their own, and nobody else’s; cut off, they go on', async () => {
    addWordLabels(store, source, 3, 'somebody');
    await label(await labellerAt(() => '{"label": "old"}'));
    const broken = await labellerAt((question) => (question.number < 9 ? wordOracle(question) : { status: 403 }));
    await expect(label(broken, { replace: true })).rejects.toMatchObject({ code: 'labeller_refused' });
    const mine = () =>
      stored()
        .filter(({ author }) => author === 'oracle')
        .map(({ text }) => text);
    expect(mine().filter((text) => text === 'old')).toHaveLength(15);
    const whole = await labellerAt(wordOracle);
    expect(await label(whole, { replace: true })).toMatchObject({ labelled: 15 });
    expect(mine()).toEqual(Array.from({ length: 24 }, (_, feature) => `word${feature}`));
    expect(stored()).toHaveLength(48);
    // a run that ended is not gone on with: replacing again replaces all
    expect(await label(whole, { replace: true })).toMatchObject({ labelled: 24 });
  });

  it('are not replaced anew before what failed was asked again, once', async () => {
    const stubborn = await labellerAt(({ user }) =>
      user.includes('<<word5>>') ? 'I cannot say.' : wordOracle({ system: '', user }),
    );
    const replaced = async () => (await label(stubborn, { replace: true })).labelled;
    expect([await replaced(), await replaced(), await replaced()]).toEqual([23, 0, 23]);
    expect(store.db.select().from(jobs).get()).toMatchObject({ state: 'failed', error: 'The answer holds no label.' });
  });

  it('are planned without asking or writing anything', async () => {
    const task = { store, source, evidence: openEvidence(store, source.key), labeller: { name: 'oracle' } };
    const choice = { ...all, features: [1, 2, 500], limit: 1 };
    expect(planLabels({ ...task, choice })).toMatchObject({ todo: [1], done: 0, unknown: [500] });
    expect(store.db.select().from(jobs).all()).toEqual([]);
  });
});

describe('labels without a model', () => {
  it('name tokens, and say what they are', async () => {
    expect(await label(null)).toEqual({ labelled: 24, failed: new Map() });
    expect(stored()[13]).toMatchObject({ text: "fires on 'word13', 'ten1'", method: 'top-tokens', author: 'tiller' });
    expect(await label(null)).toMatchObject({ labelled: 0 });
  });
});

describe('scores', () => {
  const scores = (method: string) => store.db.select().from(labelScores).where(eq(labelScores.method, method)).all();

  it('are 1 for right labels, by detection and by fuzzing', async () => {
    addWordLabels(store, source, 0, 'right');
    const { scores: found, unjudged, failed } = await score(await labellerAt(wordOracle, 'judge'));
    expect(found).toEqual({
      detection: { labels: 24, mean: 1, judgements: 24 * 20 },
      fuzzing: { labels: 24, mean: 1, judgements: 24 * 12 },
    });
    expect([unjudged, failed.size]).toEqual([0, 0]);
    for (const one of scores('detection')) {
      expect(one).toMatchObject({ author: 'judge', score: 1, f1: 1, judgements: 20 });
      expect(one.counts).toEqual({
        ...{ truePositives: 10, falsePositives: 0, trueNegatives: 10, falseNegatives: 0, unjudged: 0, seen: 4 },
      });
    }
    expect(scores('fuzzing')[0]?.counts).toMatchObject({ truePositives: 6, trueNegatives: 6, seen: 6 });
  });

  it('are 0.5 for labels of other features', async () => {
    addWordLabels(store, source, 7, 'wrong');
    const { scores: found } = await score(await labellerAt(wordOracle));
    expect(found.detection.mean).toBeGreaterThan(0.4);
    expect(found.detection.mean).toBeLessThanOrEqual(0.5);
    expect(found.fuzzing.mean).toBe(0.5);
    for (const one of scores('fuzzing')) expect(one.f1).toBe(0);
  });

  it('are 0.5 for a judge that says yes to everything', async () => {
    addWordLabels(store, source, 0, 'right');
    const at = await labellerAt(({ user }) => JSON.stringify(Array(Number(/list of (\d+)/.exec(user)?.[1])).fill(1)));
    const { scores: found } = await score(at);
    expect([found.detection.mean, found.fuzzing.mean]).toEqual([0.5, 0.5]);
  });

  it('ask the same questions for the same seed, others for another', async () => {
    addWordLabels(store, source, 0, 'right');
    const asked = async (seed: number, judge: string) => {
      const at = await labellerAt(wordOracle, judge);
      await score(at, { seed });
      return at.fake.questions.map(({ user }) => user).toSorted();
    };
    const first = await asked(1, 'a');
    expect(await asked(1, 'b')).toEqual(first);
    expect(await asked(2, 'c')).not.toEqual(first);
  });

  it('count malformed answers as no judgement, and say so', async () => {
    addWordLabels(store, source, 0, 'right');
    const asked = new Map<string, number>();
    const at = await labellerAt((question) => {
      const label = /Description: (\w+)/.exec(question.user)?.[1] ?? '';
      asked.set(label, (asked.get(label) ?? 0) + 1);
      return asked.get(label) === 2 ? 'Well, hard to say.' : wordOracle(question);
    });
    const { scores: found, unjudged, failed } = await score(at, { methods: ['detection'] });
    expect(found.detection.mean).toBe(1);
    expect(found.detection.judgements).toBe(24 * 20 - unjudged);
    expect(unjudged).toBe(24 * 5);
    expect(failed).toEqual(new Map([['The answer holds no judgements.', 24]]));
    expect(scores('detection').reduce((sum, { counts }) => sum + (counts?.unjudged ?? 0), 0)).toBe(unjudged);
  });

  it('are not given where nothing was judged', async () => {
    addWordLabels(store, source, 0, 'right');
    const { scores: found, failed } = await score(await labellerAt(() => 'no idea'), { methods: ['detection'] });
    expect(found.detection).toEqual({ labels: 0, mean: null, judgements: 0 });
    expect(failed.get('Too few judgements for a score.')).toBe(24);
    expect(scores('detection')).toEqual([]);
  });

  it('go on after a failure with what is missing, and never score half the trials', async () => {
    addWordLabels(store, source, 0, 'right');
    const broken = await labellerAt((question) => (question.number < 30 ? wordOracle(question) : { status: 401 }));
    await expect(score(broken)).rejects.toMatchObject({ code: 'labeller_refused' });
    const before = store.db.select().from(labelScores).all();
    expect(before.length).toBeGreaterThan(3);
    for (const { method, judgements } of before) expect(judgements).toBe(method === 'detection' ? 20 : 12);
    const whole = await labellerAt(wordOracle);
    const { scores: found } = await score(whole);
    expect(found.detection.labels + found.fuzzing.labels).toBe(48 - before.length);
    expect(store.db.select().from(labelScores).all()).toHaveLength(48);
    await score(whole);
    expect(whole.fake.questions).toHaveLength(found.detection.labels * 4 + found.fuzzing.labels * 3);
    expect((await score(whole, { replace: true })).scores.detection.labels).toBe(24);
    expect(store.db.select().from(labelScores).all()).toHaveLength(48);
  });

  it('are of the labels that were chosen', async () => {
    addWordLabels(store, source, 0, 'right');
    addWordLabels(store, source, 1, 'wrong');
    const at = await labellerAt(wordOracle);
    await score(at, { author: 'right', methods: ['fuzzing'], features: [2, 4, 6], limit: 2 });
    const rows = store.db
      .select({ feature: labels.feature, author: labels.author })
      .from(labelScores)
      .innerJoin(labels, eq(labels.id, labelScores.label))
      .all();
    expect(rows).toEqual([
      { feature: 2, author: 'right' },
      { feature: 4, author: 'right' },
    ]);
  });

  it('say why a label cannot be scored', async () => {
    addWordLabels(store, source, 0, 'right');
    store.connection.exec('update examples set activations = null where feature = 0');
    store.connection.exec('delete from examples where feature = 1');
    const { failed } = await score(await labellerAt(wordOracle), { features: [0, 1] });
    expect([...failed]).toEqual([
      [expect.stringMatching(/^Fuzzing needs/), 2],
      [expect.stringMatching(/^Detection needs/), 1],
    ]);
  });
});
