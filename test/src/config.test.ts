import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allVariables } from '../../src/all-variables.ts';
import { defaultCacheDirectory } from '../../src/cache-directory.ts';
import { loadConfig, theModel } from '../../src/config.ts';
import { defaultDataDirectory } from '../../src/data-directory.ts';
import { defaultThreads, physicalCores } from '../../src/processor.ts';
import { serveSettings } from '../../src/serve-settings.ts';

describe('configuration', () => {
  it('has defaults for everything', () => {
    expect(loadConfig({}, { XDG_CACHE_HOME: '/c', HOME: '/h' })).toMatchObject({
      model: 'smollm2-135m-instruct',
      source: [],
      profile: null,
      host: '127.0.0.1',
      port: 8080,
      maxRows: null,
      context: null,
      keyValueBytes: null,
      prefixCacheBytes: null,
      precision: 'f32',
      operators: 'auto',
      warmUp: 'common',
      prefillRatio: 0.8,
      queueLimit: 128,
      queueSeconds: 120,
      maxReplyTokens: null,
      streamTimeoutSeconds: 120,
      maxEdits: 64,
      drainSeconds: 30,
      offline: false,
      logLevel: 'info',
      hub: { endpoint: null, token: null },
    });
    expect(loadConfig({}, {}).threads).toBe(defaultThreads());
  });

  it('takes several models, the first of which answers where none is named', () => {
    expect(loadConfig({}, {}).models).toEqual(['smollm2-135m-instruct']);
    expect(loadConfig({ model: ['a', 'b'] }, { TILLER_MODEL: 'c' })).toMatchObject({ model: 'a', models: ['a', 'b'] });
    const config = loadConfig({}, { TILLER_MODEL: 'a, b', TILLER_MEMORY_BUDGET_BYTES: '2GB' });
    expect(config).toMatchObject({ model: 'a', models: ['a', 'b'], memoryBudgetBytes: 2e9 });
    expect(() => theModel(config)).toThrow(/works on one model, and a, b are configured/);
    expect(theModel(loadConfig({ model: 'a' }, {}))).toBe('a');
  });

  it('takes a flag over a variable over the default; an empty variable counts as none', () => {
    const environment = { TILLER_PORT: '9000', TILLER_MAX_ROWS: '4', TILLER_PROFILE: '' };
    expect(loadConfig({ port: '7000' }, environment)).toMatchObject({ port: 7000, maxRows: 4, profile: null });
    expect(loadConfig({}, environment).port).toBe(9000);
  });

  it('reads every serve setting from its own variable', () => {
    const samples: Record<string, readonly [text: string, value: unknown]> = {
      precision: ['int8', 'int8'],
      operators: ['onnxruntime', 'onnxruntime'],
      warmUp: ['none', 'none'],
      keyValueBytes: ['1.5GB', 1_500_000_000],
      prefillRatio: ['0.25', 0.25],
      logLevel: ['warn', 'warn'],
      offline: ['yes', true],
      host: ['::1', '::1'],
      source: ['a, b', ['a', 'b']],
      model: ['m', 'm'],
      profile: ['p', 'p'],
      cacheDir: ['/x', '/x'],
      dataDir: ['/x', '/x'],
      embedder: ['/m', '/m'],
      maxBodyBytes: ['2048', 2048],
    };
    for (const [key, entry] of Object.entries(serveSettings)) {
      const [text, value] = samples[key] ?? ['77', 77];
      expect(loadConfig({}, { [entry.variable]: text })).toHaveProperty(key, value);
    }
  });

  it.each([
    [{ port: '65536' }, {}, /--port \(also TILLER_PORT\): must be a whole number from 0 to 65535/],
    [{}, { TILLER_PORT: '80a' }, /'80a' for TILLER_PORT \(also --port\)/],
    [{}, { TILLER_OFFLINE: 'maybe' }, /TILLER_OFFLINE.*must be 1 or 0/],
    [{ precision: 'f16' }, {}, /'f16' for --precision.*must be one of f32, int8, blocks, auto/],
    [{ warmUp: 'all' }, {}, /must be one of none, common/],
    [{ keyValueBytes: '4 gigs' }, {}, /'4 gigs' for --kv-cache-bytes.*a number of bytes, like 4GB/],
    [{}, { TILLER_PREFIX_CACHE_BYTES: '-1' }, /TILLER_PREFIX_CACHE_BYTES/],
    [{ prefillRatio: '0' }, {}, /must be a number from 0.05 to 100/],
    [{ logLevel: 'loud' }, {}, /must be one of trace/],
    [{ maxRows: '0' }, {}, /from 1 to 256/],
    [{ threads: '1e3' }, {}, /--threads/],
    [{}, { HF_ENDPOINT: 'ftp://x' }, /HF_ENDPOINT/],
  ])('refuses a bad value by name: %j %j', (flags, environment, reason) => {
    expect(() => loadConfig(flags, environment)).toThrow(reason);
  });

  it.each([
    ['0', 0],
    ['4000000000', 4e9],
    ['4GB', 4e9],
    ['512 MiB', 512 * 2 ** 20],
    ['1.5gib', 1.5 * 2 ** 30],
    ['3kb', 3000],
  ])('reads %s as %i bytes', (size, bytes) => {
    expect(loadConfig({ prefixCacheBytes: size }, {}).prefixCacheBytes).toBe(bytes);
  });

  it('refuses an unknown variable with the nearest name', () => {
    expect(() => loadConfig({}, { TILLER_MAXROWS: '4' })).toThrow(/TILLER_MAXROWS.*TILLER_MAX_ROWS/);
    expect(() => loadConfig({}, { OTHER_MAXROWS: '4', TILLER_SEED: '1' })).not.toThrow();
    expect(new Set(allVariables).size).toBe(allVariables.length);
  });

  it('keeps the token for the Hub alone', () => {
    const config = loadConfig({}, { HF_TOKEN: ' hf_x ', HF_ENDPOINT: 'https://mirror.example', PATH: '/bin' });
    expect(config.hub).toEqual({ endpoint: 'https://mirror.example', token: 'hf_x' });
    expect(config.childEnvironment).toEqual({ HF_ENDPOINT: 'https://mirror.example', PATH: '/bin' });
  });
});

describe('the cache folder', () => {
  it("is the operating system's own", () => {
    expect(defaultCacheDirectory({}, 'linux', '/home/a')).toBe(join('/home/a', '.cache', 'tiller'));
    expect(defaultCacheDirectory({ XDG_CACHE_HOME: '/c' }, 'linux', '/home/a')).toBe(join('/c', 'tiller'));
    expect(defaultCacheDirectory({ XDG_CACHE_HOME: 'relative' }, 'linux', '/h')).toBe(join('/h', '.cache', 'tiller'));
    expect(defaultCacheDirectory({ XDG_CACHE_HOME: '/c' }, 'darwin', '/h')).toBe(
      join('/h', 'Library', 'Caches', 'tiller'),
    );
    expect(defaultCacheDirectory({ LOCALAPPDATA: '/l' }, 'win32', '/h')).toBe(join('/l', 'tiller'));
  });
});

describe('the data folder', () => {
  it("is the operating system's own, apart from the cache", () => {
    expect(defaultDataDirectory({}, 'linux', '/home/a')).toBe(join('/home/a', '.local', 'share', 'tiller'));
    expect(defaultDataDirectory({ XDG_DATA_HOME: '/d' }, 'linux', '/home/a')).toBe(join('/d', 'tiller'));
    expect(defaultDataDirectory({ XDG_DATA_HOME: 'd' }, 'linux', '/h')).toBe(join('/h', '.local', 'share', 'tiller'));
    expect(defaultDataDirectory({}, 'darwin', '/h')).toBe(join('/h', 'Library', 'Application Support', 'tiller'));
    expect(defaultDataDirectory({ LOCALAPPDATA: '/l' }, 'win32', '/h')).toBe(join('/l', 'tiller', 'data'));
    expect(loadConfig({}, { XDG_DATA_HOME: '/d' }).dataDir).toBe(join('/d', 'tiller'));
  });
});

describe('the processor', () => {
  it('has at least one thread, and unknown cores where nothing tells', () => {
    expect(defaultThreads()).toBeGreaterThanOrEqual(1);
    expect(physicalCores('/no/such/folder')).toBeNull();
  });
});

describe('variables that Kubernetes sets for a service called tiller', () => {
  it('are left alone', () => {
    const links = {
      TILLER_SERVICE_HOST: '10.0.0.1',
      TILLER_SERVICE_PORT_HTTP: '80',
      TILLER_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(loadConfig({}, { HOME: '/nowhere', ...links }).port).toBe(8080);
    expect(() => loadConfig({}, { HOME: '/nowhere', TILLER_SERVICES: '1' })).toThrow(/TILLER_SERVICES/);
  });
});
