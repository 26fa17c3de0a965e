import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireModel } from '../../../../engine/checkpoint/acquire/acquire.ts';
import type { AcquireOptions } from '../../../../engine/checkpoint/acquire/options.ts';
import { parseRepositoryName } from '../../../../engine/checkpoint/acquire/repository-name.ts';
import { openCheckpoint } from '../../../../engine/checkpoint/index.ts';
import { tinyLlama } from '../fixtures.ts';
import { type HubRevision, hubRepository, isFileRequest, refuse } from './hub-repository.ts';
import { type Answer, type HubServer, startHub } from './hub-server.ts';
import { filesIn, forbidden, newFolder } from './small-model.ts';

const repository = 'EleutherAI/tiny-70m';
const commitA = 'a'.repeat(40);
const commitB = 'b'.repeat(40);
let folder: string;
let server: HubServer | null = null;
let notices: string[] = [];

beforeEach(() => {
  folder = newFolder();
  notices = [];
});

afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(folder, { recursive: true, force: true });
});

/** The files of a fixture folder, without what only tests read. */
function fixture(name: string): Record<string, Buffer> {
  const path = join(tinyLlama, name);
  const names = readdirSync(path).filter((file) => file !== 'golden.json' && file !== 'dequantised.safetensors');
  return Object.fromEntries(names.map((file) => [file, readFileSync(join(path, file))]));
}

async function serve(revisions: Readonly<Record<string, HubRevision>>, before?: Answer): Promise<HubServer> {
  const answer = hubRepository({ repository, revisions });
  server = await startHub((request, response, number) => {
    before?.(request, response, number);
    if (!response.headersSent) answer(request, response, number);
  });
  return server;
}

function acquire(name: string, options: Partial<AcquireOptions> = {}) {
  return acquireModel(name, {
    cacheDirectory: folder,
    hub: { endpoint: server?.endpoint ?? 'http://127.0.0.1:9' },
    timeouts: { poll: 20, answer: 10_000 },
    onNotice: (line) => notices.push(line),
    ...options,
  });
}

const urls = () => server?.requests.map(({ url }) => url) ?? [];

describe('the name of a repository', () => {
  it.each([
    ['EleutherAI/pythia-70m', { repository: 'EleutherAI/pythia-70m', revision: 'main', file: null }],
    ['EleutherAI/pythia-70m@step143000', { revision: 'step143000' }],
    ['a/b@refs/pr/1:Q4_K_M', { repository: 'a/b', revision: 'refs/pr/1', file: 'Q4_K_M' }],
  ])('%s', (text, expected) => {
    expect(parseRepositoryName(text)).toMatchObject(expected);
  });

  it.each(['gpt2', 'models/x.gguf', './a/b', '/a/b', 'a/b/c', 'a/b@../../x', 'a/b@', 'a/..', '../a'])(
    'is not %s',
    (text) => {
      expect(parseRepositoryName(text)).toBeNull();
    },
  );
});

describe('a repository of the Hub', () => {
  it('gives a sharded checkpoint at a revision, each file by commit, with the token', async () => {
    const files = { ...fixture('bf16-sharded'), 'README.md': Buffer.from('x'), 'pytorch_model.bin': Buffer.from('x') };
    const { endpoint } = await serve({
      main: { commit: commitA, files: {} },
      step143000: { commit: commitB, files },
    });
    const acquired = await acquire(`${repository}@step143000`, { hub: { endpoint, token: 'hf_secret' } });
    const at = join(folder, 'models', 'EleutherAI--tiny-70m', 'step143000');
    expect(acquired).toEqual({ name: 'tiny-70m@step143000', path: at, source: 'hub' });
    const checkpoint = await openCheckpoint(acquired.path);
    expect(checkpoint.config).toMatchObject({ dModel: 64, tiedEmbeddings: false });
    await checkpoint.close();
    expect(readdirSync(at).filter((name) => !name.endsWith('.verified.json'))).toEqual(
      [
        'config.json',
        'generation_config.json',
        'model-00001-of-00002.safetensors',
        'model-00002-of-00002.safetensors',
        'model.safetensors.index.json',
        'repository.json',
        'tokenizer.json',
        'tokenizer_config.json',
      ].filter((name) => name === 'repository.json' || name in files),
    );
    expect(urls()[0]).toBe(`/api/models/${repository}/revision/step143000?blobs=true`);
    expect(
      urls()
        .slice(1)
        .every((url) => url?.startsWith(`/${repository}/resolve/${commitB}/`)),
    ).toBe(true);
    expect(server?.requests.every(({ headers }) => headers.authorization === 'Bearer hf_secret')).toBe(true);
  });

  it('is used from the cache without the network, and offline', async () => {
    await serve({ main: { commit: commitA, files: fixture('f32') } });
    const first = await acquire(repository);
    expect(first.name).toBe('tiny-70m');
    expect(await acquire(repository, forbidden)).toEqual({ ...first, source: 'cache' });
    expect(await acquire(repository, { ...forbidden, offline: true })).toEqual({ ...first, source: 'cache' });
    await expect(acquire(`${repository}@step1`, { ...forbidden, offline: true })).rejects.toThrow(
      /tiller pull EleutherAI\/tiny-70m@step1/,
    );
  });

  it('asks again with verify, and fetches only what has changed', async () => {
    const files = fixture('f32');
    const revisions = { main: { commit: commitA, files } };
    await serve(revisions);
    const { path } = await acquire(repository);
    const before = urls().length;
    revisions.main = { commit: commitB, files: { ...files, 'config.json': Buffer.from(`${files['config.json']} `) } };
    expect((await acquire(repository, { verify: true })).source).toBe('hub');
    expect(urls().slice(before)).toEqual([
      `/api/models/${repository}/revision/main?blobs=true`,
      `/${repository}/resolve/${commitB}/config.json`,
    ]);
    expect(readFileSync(join(path, 'config.json'), 'utf8').endsWith(' ')).toBe(true);
  });

  it('fetches a damaged file again; offline it is refused', async () => {
    await serve({ main: { commit: commitA, files: fixture('f32') } });
    const { path } = await acquire(repository);
    writeFileSync(join(path, 'config.json'), '{}');
    await expect(acquire(repository, { ...forbidden, offline: true })).rejects.toMatchObject({
      code: 'checksum_mismatch',
    });
    expect((await acquire(repository)).source).toBe('hub');
    expect(notices.join()).toMatch(/config\.json .*damaged/);
    expect(urls().filter((url) => url?.endsWith('model.safetensors'))).toHaveLength(1);
  });

  it('refuses a file that is not what the list says, and keeps the others for the next try', async () => {
    const files = fixture('f32');
    let wrong = true;
    await serve({ main: { commit: commitA, files } }, (request, response) => {
      if (wrong && request.url?.endsWith('tokenizer.json')) {
        const other = Buffer.from(files['tokenizer.json'] ?? '').fill(32, 10, 20);
        response.writeHead(200, { 'content-length': other.length }).end(other);
      }
    });
    const failed = acquire(repository);
    await expect(failed).rejects.toMatchObject({ code: 'checksum_mismatch' });
    await expect(failed).rejects.toThrow(/tokenizer\.json of EleutherAI\/tiny-70m: its git blob id is/);
    wrong = false;
    await acquire(repository);
    expect(urls().filter((url) => url?.endsWith('/config.json'))).toHaveLength(1);
  });

  it('goes on where a broken connection left off', async () => {
    const files = fixture('f32');
    const weights = files['model.safetensors'] ?? Buffer.alloc(0);
    let cut = false;
    await serve({ main: { commit: commitA, files } }, (request, response) => {
      if (cut || !request.url?.endsWith('model.safetensors')) return;
      cut = true;
      response.writeHead(200, { 'content-length': weights.length, etag: '"w"' });
      response.write(weights.subarray(0, 1000), () => setTimeout(() => response.destroy(), 100));
    });
    await acquire(repository);
    expect(notices.join()).toMatch(/resuming|starting again/);
  });
});

describe('GGUF files of a repository', () => {
  const gguf = () => readFileSync(join(tinyLlama, 'gguf/tiny-llama.gguf'));
  const serveTwo = () =>
    serve({
      main: { commit: commitA, files: { 'tiny.Q4_K_M.gguf': gguf(), 'tiny-Q8_0.gguf': gguf(), 'config.json': gguf() } },
    });

  it.each(['Q4_K_M', 'q4_k_m', 'tiny.Q4_K_M.gguf'])('are had by name or by kind: %s', async (file) => {
    await serveTwo();
    const acquired = await acquire(`${repository}:${file}`);
    expect(acquired.name).toBe('tiny.Q4_K_M');
    expect(acquired.path.endsWith('tiny.Q4_K_M.gguf')).toBe(true);
    expect(await acquire(`${repository}:${file}`, forbidden)).toEqual({ ...acquired, source: 'cache' });
    await (await openCheckpoint(acquired.path)).close();
  });

  it('are to be named where there are several', async () => {
    await serveTwo();
    await expect(acquire(repository)).rejects.toThrow(/tiny\.Q4_K_M\.gguf, tiny-Q8_0\.gguf.*'EleutherAI.*:tiny/);
    await expect(acquire(`${repository}:K_M`)).rejects.toThrow(/no GGUF file is called so/);
    await expect(acquire(`${repository}:Q5_0`)).rejects.toThrow(/no GGUF file is called so.*tiny-Q8_0\.gguf/);
    expect(filesIn(folder)).toEqual([]);
  });

  it('is taken as it is where it is the only one', async () => {
    await serve({ main: { commit: commitA, files: { 'only.gguf': gguf() } } });
    expect((await acquire(repository)).path.endsWith('only.gguf')).toBe(true);
  });
});

describe('a repository that cannot be had', () => {
  it('holds pickles only: says why, and the line that converts them', async () => {
    const files = { 'config.json': Buffer.from('{}'), 'pytorch_model.bin': Buffer.from('x') };
    await serve({ step1: { commit: commitA, files } });
    const failed = acquire(`${repository}@step1`);
    await expect(failed).rejects.toMatchObject({ code: 'checkpoint_unsupported' });
    await expect(failed).rejects.toThrow(
      /pytorch_model\.bin, a pickle.*runs whatever code.*python3 -c .*from_pretrained\('EleutherAI\/tiny-70m', revision='step1'\)/,
    );
    expect(urls().some((url) => url?.includes('/resolve/'))).toBe(false);
  });

  it.each([401, 403])('is gated (%d): names the page where its licence is accepted', async (status) => {
    const { endpoint } = await serve({ main: { commit: commitA, files: fixture('f32') } }, (request, response) => {
      if (isFileRequest(request)) refuse(response, status, 'GatedRepo');
    });
    const without = acquire(repository);
    await expect(without).rejects.toMatchObject({ code: 'model_unavailable', param: 'model' });
    await expect(without).rejects.toThrow(
      new RegExp(`${status}.*gated.*accept its licence at ${endpoint}/${repository} and set HF_TOKEN`),
    );
    await expect(acquire(repository, { hub: { endpoint, token: 'hf_secret' } })).rejects.toThrow(
      new RegExp(`HF_TOKEN does not give access. Accept its licence at ${endpoint}/${repository}`),
    );
    expect(filesIn(folder)).toEqual([]);
  });

  it('is private or does not exist', async () => {
    await serve({}, (_request, response) => refuse(response, 401, 'RepoNotFound'));
    await expect(acquire(repository)).rejects.toThrow(/gated or private, or does not exist.*HF_TOKEN/);
  });

  it('has no such revision', async () => {
    await serve({ main: { commit: commitA, files: fixture('f32') } });
    await expect(acquire(`${repository}@step7`)).rejects.toThrow(/EleutherAI\/tiny-70m has no such revision/);
    expect(filesIn(folder)).toEqual([]);
    expect(readdirSync(join(folder, 'models'))).toEqual([]);
  });

  it('is on a Hub that does not answer, or answers something else', async () => {
    await expect(acquire(repository)).rejects.toThrow(/not reachable/);
    await serve({}, () => undefined);
    await server?.close();
    server = await startHub(() => undefined);
    await expect(acquire(repository, { timeouts: { answer: 50 } })).rejects.toThrow(/no answer within 0\.05 s/);
    await server.close();
    server = await startHub((_request, response) => response.end('{"sha": 1}'));
    await expect(acquire(repository)).rejects.toThrow(/in a form that is not understood/);
  });

  it('names files outside itself: they are not looked at', async () => {
    const files = { ...fixture('f32'), '../evil.gguf': Buffer.from('x'), 'sub/other.gguf': Buffer.from('x') };
    await serve({ main: { commit: commitA, files } });
    await acquire(repository);
    expect(urls().some((url) => /evil|sub/.test(url ?? ''))).toBe(false);
  });

  it('has an index that names a shard which is not there', async () => {
    const { 'model-00002-of-00002.safetensors': _gone, ...files } = fixture('bf16-sharded');
    await serve({ main: { commit: commitA, files } });
    await expect(acquire(repository)).rejects.toThrow(/lacks the shard model-00002-of-00002\.safetensors/);
  });

  it('does not fit on the disk: nothing is fetched', async () => {
    await serve({ main: { commit: commitA, files: fixture('f32') } });
    await expect(acquire(repository, { freeBytes: () => Promise.resolve(1000) })).rejects.toMatchObject({
      code: 'disk_full',
    });
    expect(urls().some((url) => url?.includes('/resolve/'))).toBe(false);
  });
});
