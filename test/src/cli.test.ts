import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AcquireOptions } from '../../engine/checkpoint/acquire/index.ts';
import { TillerError } from '../../engine/core/index.ts';
import type { SteerRequest } from '../../src/cli/steer-result.ts';
import {
  collectSettings,
  editSettings,
  pullSettings,
  steerSettings,
  targetSettings,
} from '../../src/command-settings.ts';
import type { Config } from '../../src/config.ts';
import { serveSettings } from '../../src/serve-settings.ts';
import { type Environment, longFlag, type SettingTable } from '../../src/setting.ts';
import { cli } from './cli-harness.ts';
import { steerResult } from './steer-sample.ts';

describe('tiller', () => {
  const tables: Record<string, SettingTable> = {
    serve: serveSettings,
    pull: pullSettings,
    collect: collectSettings,
    steer: { ...targetSettings, ...editSettings, ...steerSettings },
    doctor: { json: steerSettings.json, cacheDir: serveSettings.cacheDir },
  };

  it.each(Object.keys(tables))('%s --help names every flag and variable', async (command) => {
    const { code, stdout, stderr } = await cli([command, '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`Usage: tiller ${command}`);
    for (const entry of Object.values(tables[command] ?? {})) {
      expect(stdout).toContain(longFlag(entry));
      expect(stdout).toContain(entry.variable);
    }
  });

  it('steer --help shows only examples that work: no saved vector exists yet', async () => {
    const { stdout } = await cli(['steer', '--help']);
    const examples = stdout.slice(stdout.indexOf('Examples:'));
    for (const [, name] of examples.matchAll(/--vector (\S+)/g)) expect(name).toMatch(/=/);
    expect(examples).toContain('17-res-4k/837');
  });

  it('prints help and version', async () => {
    const help = await cli(['--help']);
    expect(help.code).toBe(0);
    for (const command of Object.keys(tables)) expect(help.stdout).toContain(`  ${command} `);
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });

  it.each([
    [['serve', '--prot', '1'], {}, /--port/],
    [['serv'], {}, /serve/],
    [[], {}, /Usage/],
    [['serve', '--port', 'x'], {}, /--port \(also TILLER_PORT\).*tiller serve --help/],
    [['serve'], { TILLER_PROT: '1' }, /TILLER_PROT.*TILLER_PORT/],
    [['serve', 'surplus'], {}, /too many arguments/],
    [['steer'], {}, /prompt/],
    [['steer', 'hello'], {}, /--feature, --vector, --rules or --profile/],
    [['doctor', '--cache-dir'], {}, /--cache-dir/],
  ])('wrong usage ends with 2: %j %j', async (argumentList, environment, said) => {
    const { code, stdout, stderr } = await cli(argumentList, { environment });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(said);
  });

  it('a failure ends with 1 and one line, and a stack only at log level debug', async () => {
    const cause = new Error('deep down');
    const acquireModel = () =>
      Promise.reject(new TillerError('model_unavailable', 'No luck\nat all.', { cause, suggestions: ['other'] }));
    const plain = await cli(['pull'], { actions: { acquireModel } });
    expect(plain).toEqual({ code: 1, stdout: '', stderr: 'tiller: No luck at all. Nearest: other.\n' });
    for (const run of [
      cli(['pull', '--log-level', 'debug'], { actions: { acquireModel } }),
      cli(['pull', '--log-level=trace'], { actions: { acquireModel } }),
      cli(['pull'], { actions: { acquireModel }, environment: { TILLER_LOG_LEVEL: 'debug' } }),
    ]) {
      expect((await run).stderr).toMatch(/TillerError[\s\S]*Caused by: Error: deep down/);
    }
  });
});

describe('tiller serve', () => {
  it('passes the whole configuration on', async () => {
    let seen: Config | null = null;
    const runServe = (config: Config) => {
      seen = config;
      return Promise.resolve();
    };
    const flags = ['--source', 'a', '--source', 'b', '--port', '0', '--offline', '--cache-dir', '/c'];
    expect(
      await cli(['serve', ...flags], { actions: { runServe }, environment: { TILLER_MAX_ROWS: '3' } }),
    ).toMatchObject({
      code: 0,
    });
    expect(seen).toMatchObject({ source: ['a', 'b'], port: 0, offline: true, cacheDir: '/c', maxRows: 3 });
  });
});

describe('tiller pull', () => {
  it('prints the path alone on standard output', async () => {
    const calls: [string, AcquireOptions][] = [];
    const acquireModel = (name: string, options: AcquireOptions) => {
      calls.push([name, options]);
      options.onProgress?.({ label: 'Downloading', done: 5_000_000, total: 10_000_000, unit: 'bytes' });
      options.onNotice?.('The Hub was away.');
      return Promise.resolve({ name: 'm', path: '/c/m.gguf', source: 'hub' as const });
    };
    const flags = ['pull', 'm', '--verify', '--offline', '--cache-dir', '/c'];
    const environment = { HF_TOKEN: 'hf_x', HF_ENDPOINT: 'https://mirror.example', PATH: '/bin' };
    const embedders: AcquireOptions[] = [];
    const acquireEmbedder = (options: AcquireOptions) => {
      embedders.push(options);
      options.onProgress?.({ label: 'Embedder', done: 1_000_000, total: 2_000_000, unit: 'bytes' });
      return Promise.resolve({ model: '/c/model.onnx', tokenizer: '/c/tokenizer.json' });
    };
    expect(await cli(flags, { actions: { acquireModel, acquireEmbedder }, environment })).toEqual({
      code: 0,
      stdout: '/c/m.gguf\n',
      stderr:
        'Downloading: 5.00 MB of 10.0 MB (50 %)\nThe Hub was away.\nm from the Hugging Face Hub\n' +
        'Embedder: 1.00 MB of 2.00 MB (50 %)\nlabel embedder: there\n',
    });
    expect(embedders).toMatchObject([{ folder: null, cacheDirectory: '/c', offline: true, verify: true }]);
    expect(calls[0]?.[0]).toBe('m');
    expect(calls[0]?.[1]).toMatchObject({
      cacheDirectory: '/c',
      offline: true,
      verify: true,
      hub: { token: 'hf_x', endpoint: 'https://mirror.example' },
      childEnvironment: { PATH: '/bin' },
    });
  });

  it('gets the embedder too, says what is missing without it, and leaves it out where it is switched off', async () => {
    const acquireModel = () => Promise.resolve({ name: 'm', path: '/c/m.gguf', source: 'cache' as const });
    const acquireEmbedder = () =>
      Promise.reject(new TillerError('model_unavailable', 'No source had it.', { param: '--embedder' }));
    const actions = { acquireModel, acquireEmbedder };
    const without = await cli(['pull', 'm'], { actions });
    expect(without).toMatchObject({ code: 1, stdout: '/c/m.gguf\n' });
    expect(without.stderr).toMatch(/model is there, but not the label embedder: No source had it.*--embedder none/);
    expect(await cli(['pull', 'm', '--embedder', 'none'], { actions })).toMatchObject({ code: 0 });
  });
});

describe('tiller steer', () => {
  const requestOf = (...flags: string[]) => requestIn({ HOME: '/nowhere' }, flags);

  async function requestIn(environment: Environment, flags: readonly string[]): Promise<SteerRequest> {
    const seen: SteerRequest[] = [];
    const runSteer = (_config: Config, request: SteerRequest) => {
      seen.push(request);
      return Promise.resolve(steerResult);
    };
    const run = await cli(['steer', 'Hello', ...flags], { actions: { runSteer }, environment });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    return seen[0] as SteerRequest;
  }

  it('gives each target the flags after it, and all of them those before', async () => {
    const request = await requestOf(
      ...['--positions', 'generated', '--feature', 'm/s/1', '--strength', '-1.5', '--unit', 'raw', '--only-if-active'],
      ...['--vector', 'pirate', '--mode', 'ablate', '--positions', '3:9', '--seed', '7', '--max-tokens', '5'],
    );
    expect(request).toEqual({
      prompt: 'Hello',
      rules: [],
      profile: null,
      seed: 7,
      maxTokens: 5,
      temperature: 0,
      repetitionPenalty: 1.1,
      edits: [
        {
          feature: 'm/s/1',
          mode: 'add',
          number: -1.5,
          unit: 'raw',
          positions: 'generated',
          skipSpecial: false,
          onlyIfActive: true,
          param: '--feature m/s/1',
        },
        {
          vector: 'pirate',
          mode: 'ablate',
          number: null,
          unit: null,
          positions: { from: 3, to: 9 },
          skipSpecial: false,
          onlyIfActive: false,
          param: '--vector pirate',
        },
      ],
    });
  });

  it('takes targets from variables where the line names none', async () => {
    const environment = { TILLER_FEATURE: '837, m/s/2', TILLER_VECTOR: 'pirate', TILLER_STRENGTH: '2' };
    const edits = async (...flags: string[]) =>
      (await requestIn(environment, flags)).edits.map(({ feature, vector, number }) => [feature ?? vector, number]);
    expect(await edits()).toEqual([
      ['837', 2],
      ['m/s/2', 2],
      ['pirate', 2],
    ]);
    expect(await edits('--feature', '5', '--strength', '3')).toEqual([['5', 3]]);
  });

  it('reads a direction from a file of float32 numbers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tiller-cli-'));
    const path = join(folder, 'direction.f32');
    writeFileSync(path, Buffer.from(Float32Array.of(1, -2.5).buffer));
    const target = `blocks.3.hook_resid_post=${path}`;
    const request = await requestOf('--vector', target, '--strength', '2');
    rmSync(folder, { recursive: true });
    expect(request.edits[0]?.vector).toEqual({ hookPoint: 'blocks.3.hook_resid_post', data: Float32Array.of(1, -2.5) });
  });

  it.each([
    [['--feature', 'a'], /mode add needs --strength/],
    [['--feature', 'a', '--mode', 'set', '--strength', '1'], /mode set takes --value|needs --value/],
    [['--feature', 'a', '--mode', 'ablate', '--factor', '1'], /mode ablate takes no number, not --factor/],
    [['--feature', 'a', '--mode', 'push'], /'push' for --mode.*add, set, pin/],
    [['--feature', 'a', '--strength', 'NaN'], /must be a number/],
    [['--feature', 'a', '--strength', '1e999'], /finite/],
    [['--feature', 'a', '--strength', '1', '--positions', '9:3'], /--positions.*FROM:TO/],
    [['--vector', 'h=/no/such/file', '--strength', '1'], /Cannot read the vector file/],
    [['--feature', 'a', '--strength', '1', '--temperature', '3'], /from 0 to 2/],
  ])('refuses %j', async (flags, reason) => {
    const { code, stderr } = await cli(['steer', 'Hello', ...flags]);
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
  });

  it('prints both texts, side by side or as JSON', async () => {
    const actions = { runSteer: () => Promise.resolve(steerResult) };
    const flags = ['steer', 'Hello', '--feature', 'm/s/1', '--strength', '1', '--seed', '9'];
    const wide = await cli(flags, { actions, columns: 80 });
    expect(wide.stdout).toMatch(/unsteered \(3 tokens\) +\| steered \(4 tokens, cut\)/);
    expect(wide.stdout).toMatch(/A plain answer\. +\| An answer about the sea\./);
    expect(wide.stdout).toContain('add m/s/1 at blocks.1.hook_resid_post: 12 tokens');
    const narrow = await cli(flags, { actions, columns: 40 });
    expect(narrow.stdout).toMatch(/unsteered \(3 tokens\)\nA plain answer\.\n\nsteered/);
    const json = JSON.parse((await cli([...flags, '--json'], { actions })).stdout);
    expect(json).toMatchObject({
      prompt: 'Hello',
      unsteered: { text: 'A plain answer.', seed: 9 },
      steered: { text: 'An answer about the sea.', seed: 9, finish_reason: 'length', steering: steerResult.steering },
    });
  });
});
