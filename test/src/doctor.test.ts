import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalog } from '../../engine/checkpoint/acquire/index.ts';
import { estimate } from '../../src/cli/doctor-report.ts';
import { fatalProblems, renderReport } from '../../src/cli/doctor-text.ts';
import { loadConfig } from '../../src/config.ts';
import { cli } from './cli-harness.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tiller-doctor-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('tiller doctor', () => {
  it('reports as JSON, and makes nothing', async () => {
    const cache = join(folder, 'not', 'there');
    const { code, stdout } = await cli(['doctor', '--json', '--cache-dir', cache], { environment: { PATH: folder } });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      version: '1.2.3',
      node: { version: process.versions.node, supported: true },
      python: { pip: null },
      cache: { folder: cache, models: [{ name: 'smollm2-135m-instruct', state: 'absent' }] },
    });
    expect(report.python.problem).toMatch(/no Python with pip/);
    expect(report.dictionaries).toEqual({ matrices: null, encoders: 2 ** 30, unembedding: 2 ** 28 });
    expect(report.cache.free).toBeGreaterThan(0);
    expect(code).toBe(report.runtime.problem === null ? 0 : 1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says what is cached and what fits, in words', async () => {
    const place = join(folder, 'models', 'smollm2-135m-instruct');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'SmolLM2-135M-Instruct.Q4_1.gguf'), 'cut off');
    const less = ['--encoder-memory-bytes', '64MiB', '--unembedding-memory-bytes', '0'];
    const { stdout } = await cli(['doctor', '--cache-dir', folder, ...less], { environment: { PATH: folder } });
    expect(stdout).toMatch(/! smollm2-135m-instruct: damaged in the cache/);
    expect(stdout).toMatch(/encoders up to 67\.1 MB \(--encoder-memory-bytes\).*no more than 0/);
    expect(stdout).toMatch(
      /smollm2-135m-instruct in memory: .*estimate: [\d.]+ [MG]B, of which [\d.]+ MB are mapped files that the system may take back/,
    );
  });

  it('estimates weights, and says what would be served and why', () => {
    const [model] = catalog;
    if (!model) throw new Error('the catalog is empty');
    const config = loadConfig({ maxRows: '2', context: '100', keyValueBytes: '1GB' }, {});
    const estimated = (available: number) => estimate(model, config, { total: 16e9, available }, 'tiller');
    const { needed } = estimated(16e9);
    expect(estimated(16e9)).toMatchObject({
      // tiles of four-bit blocks and of the embedding, and the embedding again as float32; nothing is packed
      weights: { packed: 0, embedding: 49_152 * 576 * 4 },
      limits: { maxRows: 2, context: 100, keyValueBytes: 1e9, prefixCacheBytes: 5e8 },
      fits: 'yes',
    });
    expect(estimated(16e9).explained).toBe(
      '2 rows (as configured), 100 tokens a row (as configured), ' +
        '21,701 tokens of keys and values in all (as configured), 10,850 of them for prefixes (half)',
    );
    expect(estimated(needed + 1).fits).toBe('partly');
    expect(estimated(needed - 1).fits).toBe('no');
    const byDefault = estimate(model, loadConfig({ threads: '2' }, {}), { total: 16e9, available: 16e9 }, 'tiller');
    expect(byDefault).toMatchObject({ limits: { maxRows: 32, context: 8192 }, fits: 'yes' });
    expect(byDefault.explained).toMatch(
      /^32 rows \(by cores and memory\), 8192 tokens a row \(the model's own limit\)/,
    );
  });

  it('counts what the configured precision and operators take', () => {
    const [model] = catalog;
    if (!model) throw new Error('the catalog is empty');
    const memory = { total: 16e9, available: 16e9 };
    const megabytes = (precision: string, operators: 'tiller' | 'onnxruntime') =>
      Math.round(estimate(model, loadConfig({ precision }, {}), memory, operators).needed / 1e6);
    expect(megabytes('f32', 'tiller')).toBe(408);
    expect(megabytes('int8', 'tiller')).toBe(448);
    expect(megabytes('blocks', 'tiller')).toBe(408);
    expect(megabytes('f32', 'onnxruntime')).toBe(949);
    // whichever it turns out to be
    expect(megabytes('auto', 'tiller')).toBe(448);
  });

  it('calls an untried platform untried and a missing runtime fatal', async () => {
    const { stdout } = await cli(['doctor', '--json', '--cache-dir', folder], { environment: { PATH: folder } });
    const report = JSON.parse(stdout);
    const untried = { ...report, runtime: { path: '/lib.so', tried: false, problem: null } };
    expect(renderReport(untried)).toMatch(/\/lib\.so \(nobody has tried Tiller on/);
    expect(fatalProblems(untried)).toEqual([]);
    const missing = { ...report, runtime: { path: null, tried: false, problem: 'No library.' } };
    expect(renderReport(missing)).toContain('! ONNX Runtime: No library.');
    expect(fatalProblems(missing)).toEqual(['No library.']);
  });
});
