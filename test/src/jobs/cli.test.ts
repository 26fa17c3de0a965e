import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addBackgroundJob, claimBackgroundJob, openStore } from '../../../sae-registry/index.ts';
import { cli } from '../cli-harness.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-jobs-cli-'));
  const store = await openStore(join(folder, 'tiller.db'));
  const job = { kind: 'activations', model: 'toy', parameters: { limit: 3 }, total: 5 };
  addBackgroundJob(store, { ...job, id: 'first' });
  claimBackgroundJob(store, 'a service');
  addBackgroundJob(store, { ...job, id: 'second' });
  store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobs = (...words: string[]) =>
  cli(['jobs', ...words, '--data-dir', folder], { environment: { HOME: '/nowhere' } });

it('tiller jobs lists, shows and cancels', async () => {
  const listed = await jobs('list');
  expect(listed.code).toBe(0);
  expect(listed.stdout).toMatch(/first +activations +toy +running +0 of 5/);
  expect(JSON.parse((await jobs('list', '--json')).stdout)).toMatchObject([{ state: 'queued' }, { state: 'running' }]);
  expect(JSON.parse((await jobs('show', 'second')).stdout)).toMatchObject({
    ...{ id: 'second', parameters: { limit: 3 }, state: 'queued', cancelling: false, started: null },
  });
  expect(await jobs('cancel', 'second')).toMatchObject({ code: 0, stderr: 'It is cancelled.\n' });
  // this very process, in which it was claimed, is there
  expect(await jobs('cancel', 'first')).toMatchObject({ code: 0, stderr: 'It is being cancelled.\n' });
  expect(JSON.parse((await jobs('show', 'first')).stdout)).toMatchObject({ state: 'running', cancelling: true });
  const missing = await jobs('show', 'third');
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain("There is no job 'third'");
});
