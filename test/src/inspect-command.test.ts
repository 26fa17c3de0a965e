import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runActivations, runTaps } from '../../src/inspection/inspect-command.ts';
import { readSafetensors } from '../harness/read-safetensors.ts';
import { tinyWidth, writeTinySource } from '../harness/tiny-service.ts';
import { cli } from './cli-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiller-inspect-'));
const model = resolve(import.meta.dirname, '../fixtures/tiny-llama/gguf/tiny-llama.gguf');
const base = ['--model', model, '--cache-dir', folder, '--data-dir', join(folder, 'data'), '--threads', '1'];
const site = 'blocks.1.hook_resid_post';

describe('tiller activations', () => {
  const run = (...argv: string[]) => {
    const source = ['--source', writeTinySource(folder, 4)];
    return cli(['activations', ...argv, ...base, ...source], { actions: { runActivations } });
  };

  it('shows each token with its features, then the features of the text', async () => {
    const { code, stdout } = await run('Hello there', '--rank-by', 'sum');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^token +tiny-llama\/tiny\n/);
    expect(stdout).toContain('(sink)');
    expect(stdout).toMatch(/[01]:\d+\.\d\d/);
    expect(stdout).toMatch(/\ntiny-llama\/tiny +sum +peak +label\n[01] /);
  });

  it('prints the answer as JSON, of several texts and of chosen features', async () => {
    const { stdout } = await run('Hello', 'there', '--only', 'tiny/1', '--json');
    const { inputs } = JSON.parse(stdout);
    expect(inputs).toHaveLength(2);
    expect(inputs[0].sources[0].features).toMatchObject([{ id: 'tiny-llama/tiny/1' }]);
  });

  it('writes a file, and says what it is refused', async () => {
    const out = join(folder, 'activations.safetensors');
    expect((await run('Hello', '--out', out)).stdout).toContain(`written to ${out}`);
    expect(readSafetensors(new Uint8Array(readFileSync(out))).tensors.has('tiny-llama/tiny.values')).toBe(true);
    expect(await run('Hello', '--only', 'tony')).toMatchObject({ code: 1, stderr: expect.stringContaining("'tony'") });
    expect(await run('Hello', '--rank-by', 'median')).toMatchObject({ code: 2 });
  });
});

describe('tiller taps', () => {
  const run = (...argv: string[]) => cli(['taps', ...argv, ...base], { actions: { runTaps } });

  it('writes the values at chosen positions', async () => {
    const out = join(folder, 'taps.safetensors');
    const { code, stdout } = await run(
      'Hello there',
      '--hook-point',
      site,
      '--positions',
      '0,1',
      '--dtype',
      'f16',
      '--out',
      out,
    );
    expect([code, stdout]).toEqual([0, expect.stringContaining(out)]);
    const { tensors } = readSafetensors(new Uint8Array(readFileSync(out)));
    expect(tensors.get(`inputs.0.${site}`)).toMatchObject({ type: 'F16', shape: [2, tinyWidth] });
  });

  it('refuses places that are none', async () => {
    expect(await run('Hello')).toMatchObject({ code: 2, stderr: expect.stringContaining('--hook-point') });
    expect(await run('Hello', '--hook-point', site, '--positions', '3-4')).toMatchObject({ code: 2 });
    expect(await run('Hello', '--hook-point', 'blocks.9.hook_resid_post')).toMatchObject({ code: 1 });
  });
});
