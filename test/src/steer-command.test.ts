import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SteerRequest } from '../../src/cli/steer-result.ts';
import { loadConfig } from '../../src/config.ts';
import { runSteer } from '../../src/steer-command.ts';

const fixtures = resolve(import.meta.dirname, '../fixtures/tiny-llama');
const folder = mkdtempSync(join(tmpdir(), 'tiller-steer-'));

/** The tiny model without its chat template. */
function withoutTemplate(): string {
  const path = join(folder, 'plain');
  cpSync(join(fixtures, 'f32'), path, { recursive: true });
  rmSync(join(path, 'chat_template.jinja'), { force: true });
  const file = join(path, 'tokenizer_config.json');
  const { chat_template: _template, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(rest));
  return path;
}

const request = (strength: number): SteerRequest => ({
  prompt: 'hello there',
  edits: [
    {
      vector: { hookPoint: 'blocks.1.hook_resid_mid', data: Float32Array.from({ length: 64 }, (_, i) => Math.cos(i)) },
      mode: 'add',
      number: strength,
      unit: 'raw',
      positions: 'all_but_first',
      skipSpecial: false,
      onlyIfActive: false,
      param: '--vector',
    },
  ],
  rules: [],
  profile: null,
  maxTokens: 8,
  seed: 3,
  temperature: 0,
  repetitionPenalty: 1.1,
});

describe('tiller steer', () => {
  it.each([
    ['a model with a chat template', () => join(fixtures, 'gguf', 'tiny-llama.gguf')],
    ['a model without one, as plain text', withoutTemplate],
  ])('answers twice: %s', async (_what, model) => {
    const config = loadConfig({ model: model(), cacheDir: folder, dataDir: folder }, { HOME: folder });
    const { unsteered, steered, steering } = await runSteer(config, request(20));
    expect(steered.text).not.toBe(unsteered.text);
    expect(steering.edits[0]).toMatchObject({ target: 'inline', coefficient: { min: 20, max: 20 } });
    expect(steering.edits[0]?.tokens).toBeGreaterThan(4);
    const still = await runSteer(config, request(0));
    expect(still.steered.text).toBe(still.unsteered.text);
  });

  it('says what is wrong in one error', async () => {
    const config = loadConfig({ model: join(fixtures, 'f32'), cacheDir: folder, dataDir: folder }, { HOME: folder });
    const [edit] = request(1).edits;
    const wrong = { ...request(1), edits: [{ ...edit, vector: 'pirate' }] } as SteerRequest;
    await expect(runSteer(config, wrong)).rejects.toThrow(/no vector 'pirate'/);
  });
});
