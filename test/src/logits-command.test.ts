import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LogProbabilityAnswer } from '../../routes/native/log-probability-schemas.ts';
import type { LogitsAnswer } from '../../routes/native/logits-schemas.ts';
import { addVector, openStore } from '../../sae-registry/index.ts';
import { tinyDirection, tinyModel } from '../harness/tiny-service.ts';
import { cli } from './cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-logits-cli-'));
const model = resolve(import.meta.dirname, '../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const flags = ['--model', model, '--cache-dir', folder, '--data-dir', folder, '--threads', '1'];
// nothing is compiled for this
const environment = { HOME: '/nowhere', TILLER_OPERATORS: 'onnxruntime' };
const logits = (...words: string[]) => cli(['logits', 'hello there', ...words, ...flags], { environment });

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller logits', () => {
  it('shows what comes next, at the positions asked for', async () => {
    const told = await logits('--top', '3', '--token', 'id:7', '--at', '0,-1');
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout.match(/^after ".*", position \d+$/gm)).toHaveLength(2);
    expect(told.stdout.match(/^token +id +logit +probability$/gm)).toHaveLength(2);
    const json = JSON.parse((await logits('--top', '3', '--at', 'all', '--chat', '--json')).stdout) as LogitsAnswer;
    const [input] = json.inputs;
    expect(input?.positions).toHaveLength(input?.tokens.length ?? -1);
    expect(input?.tokens.some(({ role }) => role === 'user')).toBe(true);
  });

  it('shows the lens and what a saved vector writes', async () => {
    const store = await openStore(join(folder, 'tiller.db'));
    const directions = [{ hookPoint: 'blocks.1.hook_resid_mid', values: tinyDirection(1) }];
    addVector(store, {
      model: tinyModel,
      name: 'pirate',
      description: '',
      method: 'uploaded',
      origin: 'test',
      directions,
    });
    store.close();
    const { stdout } = await logits('--lens', '--top', '2', '--through', 'vector:pirate', '--token', 'id:9');
    expect(stdout).toMatch(/^blocks\.0\.hook_resid_post +"/m);
    expect(stdout).toMatch(/^the model +"/m);
    expect(stdout).toMatch(/^pirate:1 at blocks\.1\.hook_resid_mid/m);
    expect(stdout).toMatch(/^position +token +coefficient +scale +"/m);
    const placed = JSON.parse((await logits('--place', 'hook_embed', '--json')).stdout) as LogitsAnswer;
    expect(placed.inputs[0]?.lens?.map(({ hook_point }) => hook_point)).toEqual(['hook_embed']);
  });

  it('scores the text itself, steered and not', async () => {
    const edit = ['--vector', 'pirate', '--strength', '9', '--unit', 'raw'];
    const { stdout } = await logits('--score', ...edit);
    expect(stdout).toMatch(/^token +id +log-probability +rank +unsteered +KL$/m);
    expect(stdout).toMatch(/^KL\(steered \|\| unsteered\): mean /m);
    const json = JSON.parse((await logits('--score', '--json')).stdout) as LogProbabilityAnswer;
    expect(stdout).toContain(`unsteered: ${json.inputs[0]?.sum.toFixed(3)}`);
  });

  it('keeps the spaces of a token', async () => {
    // a space before it makes two tokens of it here
    const spaced = await logits('--token', '  several');
    expect(spaced.stderr).toContain('"  several" is');
  });

  it('says what is wrong', async () => {
    expect(await logits('--token', 'several tokens')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"several tokens" is'),
    });
    expect(await logits('--at', 'first')).toMatchObject({ code: 2, stderr: expect.stringContaining('must be last') });
  });
});
