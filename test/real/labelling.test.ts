import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureDetailBody } from '../../routes/native/feature-schemas.ts';
import { openStore } from '../../sae-registry/index.ts';
import { jobs, labelScores, labels } from '../../sae-registry/store/schema.ts';
import type { ProgressDisplay } from '../../src/cli/progress-display.ts';
import { loadSettings } from '../../src/config.ts';
import { labelCommand } from '../../src/labelling/label-command.ts';
import { scoreCommand } from '../../src/labelling/score-command.ts';
import { labelSettings, scoreSettings } from '../../src/labelling-settings.ts';
import { type RealService, startRealService, until } from '../harness/real-service.ts';
import { requireBuild } from '../harness/served-process.ts';
import { wordSource } from '../sae-registry/labelling/word-source.ts';
import { fakeEndpoint, wordOracle } from '../src/labelling/fake-endpoint.ts';

const quiet: ProgressDisplay = { onProgress: () => {}, onNotice: () => {}, stop: () => {} };

/** The default model is no good labeller: these prove that the two ends understand each other, not that labels are good. */
describe("Tiller's own server as a labeller", () => {
  let service: RealService;
  beforeAll(async () => {
    service = await startRealService();
  });
  afterAll(() => service.close());
  const source = 'smollm2-135m-instruct/17-res-4k';
  const at = (more: Record<string, unknown>) => ({
    endpoint: `${service.url}/v1`,
    labellerModel: 'smollm2-135m-instruct',
    json: true,
    ...more,
  });
  const opened = () => ({ store: service.ready.registry.store, source, key: null, display: quiet });

  it('is asked for labels, which the feature then has', async () => {
    const settings = loadSettings(labelSettings, at({ features: '0-5', answerTokens: '24' }), {});
    const result = JSON.parse(await labelCommand({ ...opened(), settings }));
    const failed = Object.values<number>(result.failed).reduce((sum, count) => sum + count, 0);
    expect(result.labelled + failed).toBe(6);
    expect(result.labelled).toBeGreaterThan(0);
    expect(result.spent).toMatchObject({ requests: 6, estimated_answers: 0 });
    expect(result.spent.prompt_tokens).toBeGreaterThan(6 * 150);
    const made = service.ready.registry.store.db.select().from(labels).all();
    const mine = made.filter(({ method }) => method === 'llm-examples');
    expect(mine).toHaveLength(result.labelled);
    const { feature, text } = mine[0] as (typeof mine)[number];
    const detail = (await (await service.get(`/api/v1/features/${source}/${feature}`)).json()) as FeatureDetailBody;
    expect(detail.labels.map((label) => label.text)).toContain(text);
  });

  it('is asked for judgements: what is not one counts as none', async () => {
    const flags = at({
      features: '0-3',
      answerTokens: '32',
      scoreMethod: ['detection'],
      labelMethod: 'llm-top-examples',
    });
    const result = JSON.parse(await scoreCommand({ ...opened(), settings: loadSettings(scoreSettings, flags, {}) }));
    // four passages of each feature and as many others, in two questions
    expect(result.spent.requests).toBe(8);
    const { labels: scored, judgements } = result.scores.detection;
    const rows = service.ready.registry.store.db.select().from(labelScores).all();
    expect(rows).toHaveLength(scored);
    expect(rows.reduce((sum, row) => sum + (row.judgements ?? 0), 0)).toBe(judgements);
    for (const { counts, judgements: judged, score } of rows) {
      expect((judged ?? 0) + (counts?.unjudged ?? 0)).toBe(8);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
    }
  });

  it('takes a label by hand, which is the one that is shown', async () => {
    const path = `/api/v1/features/${source}/7`;
    const added = await service.post(`${path}/labels`, { text: 'a word of my own', author: 'me' });
    expect(added.status).toBe(201);
    const detail = (await (await service.get(path)).json()) as FeatureDetailBody;
    expect(detail.label).toBe('a word of my own');
    expect(detail.labels[0]).toMatchObject({ method: 'manual', author: 'me', scores: [] });
  });
});

describe('tiller sae label, killed', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tiller-label-'));
  afterAll(() => rmSync(dataDir, { recursive: true }));
  const main = resolve(import.meta.dirname, '../../dist/src/main.js');

  it('loses no label that was written, and asks only for those that are missing', async () => {
    requireBuild();
    const path = join(dataDir, 'tiller.db');
    const store = await openStore(path);
    wordSource(store, 60);
    const stored = () => store.db.select().from(labels).all().length;
    const fake = await fakeEndpoint((question) => sleep(15).then(() => wordOracle(question)));
    const begin = () => {
      const flags = ['--endpoint', fake.endpoint, '--labeller-model', 'oracle', '--data-dir', dataDir];
      return spawn(process.execPath, [main, 'sae', 'label', 'res', ...flags], { stdio: 'ignore' });
    };
    for (const most of [12, 30]) {
      const child = begin();
      const ended = new Promise((settle) => child.once('close', settle));
      await until(() => stored() >= most || child.exitCode !== null);
      child.kill('SIGKILL');
      await ended;
      expect(stored()).toBeLessThan(60);
      expect(store.db.select().from(jobs).all()).toMatchObject([{ kind: 'label', state: 'running' }]);
    }
    const [before, asked] = [stored(), fake.questions.length];
    // what was asked and not yet written is asked again: four at once, twice killed
    expect(asked - before).toBeLessThanOrEqual(8);
    const code = await new Promise((settle) => begin().once('close', settle));
    expect(code).toBe(0);
    expect(fake.questions.length - asked).toBe(60 - before);
    const texts = store.db
      .select()
      .from(labels)
      .orderBy(labels.feature)
      .all()
      .map(({ text }) => text);
    expect(texts).toEqual(Array.from({ length: 60 }, (_, feature) => `word${feature}`));
    expect(store.db.select().from(jobs).all()).toMatchObject([{ state: 'done', done: 60, total: 60 }]);
    expect(store.connection.pragma('integrity_check', { simple: true })).toBe('ok');
    store.close();
    await fake.close();
  });
});
