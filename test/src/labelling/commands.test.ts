import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../sae-registry/store/index.ts';
import { jobs, labels } from '../../../sae-registry/store/schema.ts';
import type { ProgressDisplay } from '../../../src/cli/progress-display.ts';
import { loadConfig, loadSettings } from '../../../src/config.ts';
import { labelCommand } from '../../../src/labelling/label-command.ts';
import { scoreCommand } from '../../../src/labelling/score-command.ts';
import { labelSettings, scoreSettings } from '../../../src/labelling-settings.ts';
import { longFlag } from '../../../src/setting.ts';
import { addWordLabels, wordSource } from '../../sae-registry/labelling/word-source.ts';
import { cli } from '../cli-harness.ts';
import { type FakeEndpoint, fakeEndpoint, wordOracle } from './fake-endpoint.ts';

let store: Store;
let fake: FakeEndpoint;
let notices: string[];
let progress: string[];
beforeEach(async () => {
  store = await openStore(null);
  wordSource(store);
  fake = await fakeEndpoint(wordOracle);
  notices = [];
  progress = [];
});
afterEach(async () => {
  await fake.close();
  store.close();
});

const display: ProgressDisplay = {
  onProgress: ({ label, done, total }) => progress.push(`${label} ${done}/${total}`),
  onNotice: (line) => notices.push(line),
  stop: () => {},
};
const opened = (source: string, key: string | null) => ({ store, source, key, display });
const label = (flags: Record<string, unknown>, { source = 'tiny-model/res', key = null as string | null } = {}) =>
  labelCommand({ ...opened(source, key), settings: loadSettings(labelSettings, flags, {}) });
const score = (flags: Record<string, unknown>, key: string | null = null) =>
  scoreCommand({ ...opened('res', key), settings: loadSettings(scoreSettings, flags, {}) });
const at = (more: Record<string, unknown> = {}) => ({ endpoint: fake.endpoint, labellerModel: 'oracle', ...more });

describe('tiller sae label', () => {
  it('tells what it will cost, labels, and tells what it cost', async () => {
    const said = await label(at({ promptPrice: '1', answerPrice: '10', answerTokens: '20' }), { key: 'sk-secret' });
    expect(notices).toHaveLength(1);
    const [, tokens = '', answers, dollars] =
      /^24 features of tiny-model\/res to label with oracle; about ([\d,]+) tokens of prompts and (\d+) of answers, \$([\d.]+) at most\.$/.exec(
        notices[0] ?? '',
      ) ?? [];
    const sent = fake.questions.reduce((sum, { system, user }) => sum + Math.ceil((system + user).length / 4), 0);
    expect(Number(tokens.replace(',', ''))).toBe(sent);
    expect(answers).toBe('480');
    expect(Number(dollars)).toBeCloseTo((sent + 4800) / 1e6, 4);
    expect(said).toBe(
      'Labelled 24 features (method llm-examples, author oracle).\nTook 24 requests: 2,400 tokens of prompts and 240 of answers, $0.0048.',
    );
    expect(fake.questions[0]?.headers.authorization).toBe('Bearer sk-secret');
    expect(progress.at(-1)).toBe('Labelling tiny-model/res 24/24');
  });

  it('labels the features that were chosen, and says which it cannot', async () => {
    store.connection.exec('delete from examples where feature = 3');
    const result = JSON.parse(await label(at({ features: '2-4,9', limit: '2', json: true })));
    expect(result).toMatchObject({
      labelled: 2,
      labelled_before: 0,
      failed: {},
      spent: { requests: 2, dollars: null },
    });
    expect(notices[0]).toBe('Left out: 1 feature with no examples, 3 first.');
    expect(
      store.db
        .select()
        .from(labels)
        .all()
        .map(({ feature }) => feature),
    ).toEqual([2, 4]);
    expect(await label(at({ features: '2-4,9' }))).toContain('Labelled 1 feature (');
    expect(notices.at(-1)).toMatch(/^1 feature of .* \(2 labelled already\)/);
  });

  it('prints the first question of a dry run, and neither asks nor writes', async () => {
    const text = await label(at({ features: '5', dryRun: true }));
    expect(text).toMatch(/^Feature 5:\n--- system ---\nYou describe[\s\S]*--- user ---\nPassages[\s\S]*<<word5>>/);
    expect(fake.questions).toEqual([]);
    expect(store.db.select().from(jobs).all()).toEqual([]);
  });

  it('makes token labels without an endpoint, and says what they are worth', async () => {
    expect(await label({})).toBe('Labelled 24 features (method top-tokens, author tiller).');
    expect(notices).toEqual([
      '24 features of tiny-model/res to label. No --endpoint is named: labels are made from tokens alone. They name tokens and describe nothing.',
    ]);
    expect(await label({ features: '3', dryRun: true, replace: true })).toMatch(
      /its label is: fires on 'word3', 'ten0'$/,
    );
  });

  it('tells what was spent before it failed', async () => {
    await fake.close();
    fake = await fakeEndpoint((question) => (question.number < 3 ? wordOracle(question) : { status: 401 }));
    await expect(label(at({ concurrency: '1' }))).rejects.toMatchObject({ code: 'labeller_refused' });
    expect(notices.at(-1)).toBe('Took 3 requests: 300 tokens of prompts and 30 of answers.');
  });

  it.each([
    ['an endpoint without a model', { endpoint: 'http://127.0.0.1:9/v1' }, 'invalid_request', /--labeller-model/],
    ['a model without an endpoint', { labellerModel: 'x' }, 'invalid_request', /needs --endpoint/],
    ['what is no range', { features: '4-' }, 'invalid_request', /'4-' is no range/],
    ['a range that runs backwards', { features: '4-2' }, 'invalid_request', /'4-2' is no range/],
    ['features that are not there', { features: '20-24' }, 'feature_not_found', /no feature 24: there are 0 to 23/],
  ])('refuses %s', async (_what, flags, code, message) => {
    await expect(label(flags)).rejects.toMatchObject({ code, message });
  });

  it('names the sources that there are, and what to do about one of which nothing is known', async () => {
    await expect(label({}, { source: 'tiny-model/rez' })).rejects.toMatchObject({
      code: 'source_not_found',
      message: /It knows tiny-model\/res/,
      suggestions: ['tiny-model/res'],
    });
    store.connection.exec('delete from examples; delete from statistics');
    await expect(label({})).rejects.toMatchObject({
      code: 'statistics_missing',
      message: /tiller sae stats tiny-model\/res/,
    });
  });
});

describe('tiller sae score', () => {
  it('tells what it will ask, scores, and tells what it found', async () => {
    addWordLabels(store, await registered(), 0, 'right');
    const said = await score(at({ labelAuthor: 'right' }));
    expect(notices[0]).toMatch(
      /^48 scores of tiny-model\/res to make, in 168 requests; about [\d,]+ tokens of prompts/,
    );
    expect(fake.questions).toHaveLength(168);
    expect(said.split('\n')).toEqual([
      'detection: 24 labels, mean balanced accuracy 1.000 of 480 judgements',
      'fuzzing: 24 labels, mean balanced accuracy 1.000 of 288 judgements',
      'Took 168 requests: 16,800 tokens of prompts and 1,680 of answers.',
    ]);
    expect(await score(at())).toBe('No scores were made.');
    expect(notices.at(-1)).toMatch(/^0 scores .* \(48 there already\)/);
  });

  it('prints the first questions of a dry run, without an endpoint too', async () => {
    addWordLabels(store, await registered(), 0, 'right');
    const text = await score({ dryRun: true });
    expect(text).toMatch(/^detection of a label of feature 0:[\s\S]*Description: word0[\s\S]*\n5\. /);
    expect(text).toMatch(/fuzzing of a label of feature 0:[\s\S]*<</);
    expect(await score({ dryRun: true, labelAuthor: 'nobody' })).toBe('There is nothing to ask.');
  });

  it('gives JSON', async () => {
    addWordLabels(store, await registered(), 0, 'right');
    const result = JSON.parse(await score(at({ json: true, features: '1', scoreMethod: ['fuzzing', 'fuzzing'] })));
    expect(result).toMatchObject({
      scores: { fuzzing: { labels: 1, mean: 1, judgements: 12 }, detection: { labels: 0, mean: null } },
      unjudged: 0,
      spent: { requests: 3 },
    });
  });

  it('needs a judge', async () => {
    await expect(score({})).rejects.toMatchObject({
      code: 'invalid_request',
      message: /--endpoint and --labeller-model/,
    });
  });

  async function registered() {
    const { listSources } = await import('../../../sae-registry/store/index.ts');
    const [source] = listSources(store);
    if (!source) throw new Error('no source');
    return source;
  }
});

describe('the commands', () => {
  it.each([
    ['label', labelSettings],
    ['score', scoreSettings],
  ])('sae %s --help names every flag and variable', async (name, table) => {
    const { code, stdout } = await cli(['sae', name, '--help']);
    expect(code).toBe(0);
    for (const entry of Object.values(table)) {
      expect(stdout).toContain(longFlag(entry));
      expect(stdout).toContain(entry.variable);
    }
    expect(stdout).toContain('--data-dir');
  });

  it('pass on what was typed, and the key from the environment alone', async () => {
    let seen: unknown[] = [];
    const runSaeLabel = async (...given: unknown[]) => {
      seen = given;
      return 'done';
    };
    const flags = ['--endpoint', 'http://e/v1', '--labeller-model', 'm', '--limit', '3', '--only-unlabelled'];
    const environment = { TILLER_LABELLER_KEY: ' sk-1 ', TILLER_LABELLER_CONCURRENCY: '9' };
    const run = await cli(['sae', 'label', 'a/b', ...flags], { actions: { runSaeLabel }, environment });
    expect(run).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(seen).toMatchObject([
      { labellerKey: 'sk-1' },
      'a/b',
      { endpoint: 'http://e/v1', labellerModel: 'm', limit: 3, onlyUnlabelled: true, concurrency: 9, replace: false },
    ]);
    expect(loadConfig({}, environment).childEnvironment).not.toHaveProperty('TILLER_LABELLER_KEY');
  });

  it.each([
    [['--endpoint', 'ftp://e/v1'], /http or https address/],
    [['--endpoint', 'http://user:secret@e/v1'], /without a user/],
    [['--endpoint', 'e'], /http or https address/],
    [['--concurrency', '0'], /--concurrency.*from 1 to 256.*tiller sae label --help/],
    [['--prompt-price', '-1'], /number of dollars/],
  ])('refuse %j', async (flags, said) => {
    const { code, stderr } = await cli(['sae', 'label', 'a/b', ...flags]);
    expect(code).toBe(2);
    expect(stderr).toMatch(said);
  });
});
