import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SteeringBlock } from '../../../routes/services.ts';
import { addVector, openStore } from '../../../sae-registry/index.ts';
import type { SteerResult } from '../../../src/cli/steer-result.ts';
import { runSteer } from '../../../src/steer-command.ts';
import { tinyDirection, tinyModel } from '../../harness/tiny-service.ts';
import { cli } from '../cli-harness.ts';

let folder: string;
const model = resolve(import.meta.dirname, '../../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const data = () => ['--data-dir', join(folder, 'data')];
const loading = () => ['--model', model, '--cache-dir', folder, '--threads', '1', ...data()];
// nothing is compiled for this
const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
const profile = (...words: string[]) => cli(['profile', ...words, ...data()]);
const overModel = (...words: string[]) => cli(['profile', ...words, ...loading()], { environment });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-profile-cli-'));
  const store = await openStore(join(folder, 'data', 'tiller.db'));
  const directions = [{ hookPoint: 'blocks.1.hook_resid_mid', values: tinyDirection(1) }];
  const named = { model: tinyModel, name: 'pirate', description: '', method: 'uploaded', origin: 'test' };
  addVector(store, { ...named, directions });
  store.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller profile', () => {
  it('saves, lists, shows, exports, imports and deletes', async () => {
    const edit: string[] = ['--vector', 'pirate', '--strength', '3', '--unit', 'raw', '--positions', 'generated'];
    const saved = await overModel('save', 'cli', '--description', 'from a shell', ...edit);
    expect(saved).toMatchObject({ code: 0, stdout: `${tinyModel}@cli:1\n` });
    const more = await overModel('save', 'cli', '--profile', 'cli', ...edit.with(1, 'pirate:1'));
    expect(more).toMatchObject({ code: 0, stdout: `${tinyModel}@cli:2\n` });

    const listed = await profile('list');
    expect(listed.stdout.split('\n').slice(1, 3)).toEqual([
      expect.stringMatching(/^tiny-llama@cli:2 /),
      expect.stringMatching(/^tiny-llama@cli:1 .*from a shell$/),
    ]);
    expect(JSON.parse((await profile('list', '--json')).stdout)).toMatchObject([{ version: 2 }, { version: 1 }]);
    const shown = await profile('show', 'cli:1');
    expect(shown.stdout).toMatch(/add +pirate:1 +blocks\.1\.hook_resid_mid +3 +generated/);
    const json = JSON.parse((await profile('show', `${tinyModel}@cli:1`, '--json')).stdout);
    expect(json).toMatchObject({ steering: { edits: [{ vector: 'pirate', strength: 3 }] }, edits: [{ number: 3 }] });

    const out = join(folder, 'cli.json');
    expect(await profile('export', 'cli:1', '--out', out)).toMatchObject({ code: 0, stdout: `${out}\n` });
    expect((await profile('export', 'cli:1')).stdout).toBe(readFileSync(out, 'utf8'));
    const imported = await overModel('import', out, '--name', 'other');
    expect(imported).toMatchObject({ code: 0, stdout: `${tinyModel}@other:1\n` });
    writeFileSync(out, readFileSync(out, 'utf8').replace('from a shell', 'from the sea'));
    const refused = await overModel('import', out);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('changed since it was exported') });

    expect(await profile('delete', 'cli:2')).toMatchObject({ code: 0, stderr: 'Deleted version 2.\n' });
    expect(await profile('delete', 'cli')).toMatchObject({ code: 0, stderr: 'Deleted version 1.\n' });
    expect((await profile('show', 'cli')).stderr).toMatch(/no profile 'cli'/);
  }, 60_000);

  it('has tiller steer beside it, which takes saved vectors and profiles', async () => {
    const saved = await overModel('save', 'steered', '--vector', 'pirate', '--strength', '9', '--unit', 'raw');
    expect(saved.code).toBe(0);
    const actions = { runSteer };
    const steer = async (...words: string[]) => {
      const run = await cli(['steer', 'hello there', '--json', ...words, ...loading()], { environment, actions });
      return JSON.parse(run.stdout) as SteerResult & { steered: { text: string; steering: SteeringBlock } };
    };
    const vector = await steer('--vector', 'pirate:1', '--strength', '9', '--unit', 'raw');
    expect(vector.steered.steering.edits).toMatchObject([{ target: 'pirate:1', coefficient: { min: 9, max: 9 } }]);
    expect(vector.steered.text).not.toBe(vector.unsteered.text);
    const profiled = await steer('--profile', 'steered');
    expect(profiled.steered.text).toBe(vector.steered.text);
    expect(profiled.steered.steering.profile).toMatchObject({ name: 'steered', version: 1, default: false });

    const rules = join(folder, 'rules.json');
    const when = { vector: 'pirate', above: -1e6, unit: 'raw', end_of_prompt: 'last' };
    writeFileSync(rules, JSON.stringify({ rules: [{ when, stop: true }] }));
    const ruled = await steer('--rules', rules);
    expect(ruled.steered).toMatchObject({ finish_reason: 'rule', completion_tokens: 0 });
    expect(ruled.steered.steering.rules).toMatchObject([{ stopped: true, comparisons: [{ target: 'pirate:1' }] }]);
  });

  it('says what is wrong', async () => {
    expect(await profile('save', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('Nothing to save') });
    const none = join(folder, 'none.json');
    expect(await profile('save', 'x', '--rules', none)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot be read'),
    });
    writeFileSync(join(folder, 'odd.json'), '{"rules": []}');
    expect(await profile('save', 'x', '--rules', join(folder, 'odd.json'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no rules'),
    });
    expect(await profile('show', 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no profile 'nobody'"),
    });
    expect(await profile('import', join(folder, 'none.json'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be read'),
    });
    expect((await profile('show', 'gpt2@other')).code).toBe(1);
    expect(await cli(['profile', 'list', '--data-dir', join(folder, 'empty')])).toMatchObject({
      stdout: 'None is saved.\n',
    });
  });
});
