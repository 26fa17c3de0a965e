import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { TillerError } from '../../core/index.ts';
import type { HubSource } from './catalog.ts';
import { formatBytes, rootMessage } from './describe.ts';
import { requireSpace } from './disk-space.ts';
import { mismatch } from './expected-file.ts';
import { explainHubAnswer, hubBase, hubHeaders } from './hub-answer.ts';
import { defaultTimeouts, type FetchContext } from './options.ts';
import { ReceivedFile } from './received-file.ts';
import { Watchdog } from './watchdog.ts';

/** Next to a partial file: what it is a part of. */
const partialState = z.object({ url: z.string(), etag: z.string() });

/** The connection broke while the body was arriving. */
class Interrupted extends Error {}

/** A partial file turned out to be of no use: start again from nothing. */
class CannotResume extends Error {}

/** Requests made for one file at the most; each one after the first needs the one before to have brought something. */
const mostRequests = 4;

/**
 * Downloads one file from the Hugging Face Hub to `context.partialPath` and checks it. A partial file is kept only where the
 * server gives a strong ETag, and resumed with Range and If-Range, so that parts of two different files never meet
 * (RFC 9110, 13.1.5 and 14.2). Throws TillerErrors that say what the Hub said; those of the file system pass through.
 */
export async function downloadFromHub(source: HubSource, context: FetchContext): Promise<void> {
  const url = hubUrl(source, context.hub?.endpoint ?? null);
  for (let request = 1; ; request++) {
    const before = await sizeOf(context.partialPath);
    try {
      return await downloadOnce(source, url, context);
    } catch (error) {
      if (error instanceof CannotResume && request < mostRequests) {
        await dropPartial(context.partialPath);
        continue;
      }
      if (!(error instanceof Interrupted)) {
        // What has arrived stays good when the server merely cannot be reached now; anything else leaves nothing behind.
        const keep = context.signal.aborted || (error instanceof TillerError && error.code === 'model_unavailable');
        if (!keep) await dropPartial(context.partialPath);
        throw error;
      }
      const bytes = await sizeOf(context.partialPath);
      if (request >= mostRequests || bytes <= before || context.signal.aborted) throw giveUp(error, bytes, context);
      context.onNotice?.(`Hugging Face Hub: ${error.message} after ${formatBytes(bytes)}; resuming.`);
    }
  }
}

/** Address of a file (https://huggingface.co/docs/hub: `/<repository>/resolve/<revision>/<path>`). */
export function hubUrl(source: HubSource, endpoint: string | null): string {
  const path = source.file.split('/').map(encodeURIComponent).join('/');
  return `${hubBase({ endpoint })}/${source.repository}/resolve/${encodeURIComponent(source.revision)}/${path}`;
}

function giveUp(error: Interrupted, bytes: number, context: FetchContext): unknown {
  if (context.signal.aborted) return context.signal.reason;
  const kept = bytes > 0 ? ` (${formatBytes(bytes)} kept for resuming)` : '';
  return new TillerError('model_unavailable', `${error.message}${kept}`, { cause: error });
}

async function downloadOnce(source: HubSource, url: string, context: FetchContext): Promise<void> {
  const { expected, partialPath } = context;
  const kept = await resumable(url, context);
  if (kept?.bytes === expected.bytes) return finish(await openReceived(context, kept.bytes), context);
  if (!kept) await dropPartial(partialPath);
  await requireSpace(context.folder, expected.bytes - (kept?.bytes ?? 0), context.freeBytes);
  const watchdog = new Watchdog(context.signal);
  try {
    const response = await request(source, url, kept, watchdog, context);
    const keep = checkAnswer(response, kept, context);
    const etag = strongEtag(response);
    if (keep === 0) await rm(stateOf(partialPath), { force: true });
    if (keep === 0 && etag) await writeFile(stateOf(partialPath), JSON.stringify({ url, etag }));
    const file = await openReceived(context, keep);
    await receive(response, file, watchdog, context);
    await finish(file, context);
  } finally {
    watchdog.stop();
  }
}

/** Sends the request; throws `model_unavailable` when there is no answer in time or the answer is not the file. */
async function request(
  source: HubSource,
  url: string,
  kept: { readonly bytes: number; readonly etag: string } | null,
  watchdog: Watchdog,
  context: FetchContext,
): Promise<Response> {
  const headers = hubHeaders(context.hub);
  if (kept) Object.assign(headers, { range: `bytes=${kept.bytes}-`, 'if-range': kept.etag });
  const patience = context.timeouts?.answer ?? defaultTimeouts.answer;
  watchdog.restart(patience, `no answer within ${patience / 1000} s`);
  const response = await (context.fetch ?? fetch)(url, { headers, signal: watchdog.signal }).catch((error: unknown) => {
    if (context.signal.aborted) throw context.signal.reason;
    throw new TillerError('model_unavailable', `not reachable: ${rootMessage(watchdog.barked ?? error)}`, {
      cause: error,
    });
  });
  if (response.status === 200 || response.status === 206) return response;
  await response.body?.cancel().catch(() => undefined);
  if (response.status === 416 && kept) throw new CannotResume();
  throw new TillerError(
    'model_unavailable',
    `${new URL(url).host} answered ${explainHubAnswer(response, source.repository, context.hub)}`,
  );
}

/** How many bytes of the partial file the answer continues; throws when the answer cannot be the file. */
function checkAnswer(
  response: Response,
  kept: { readonly bytes: number; readonly etag: string } | null,
  context: FetchContext,
): number {
  const { expected } = context;
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const etag = response.headers.get('etag');
    const continues = kept && range && Number(range[1]) === kept.bytes && (etag === null || etag === kept.etag);
    if (!continues || (range[2] !== '*' && Number(range[2]) !== expected.bytes)) {
      void response.body?.cancel().catch(() => undefined);
      if (kept) throw new CannotResume();
      throw new TillerError('model_unavailable', 'answered 206 to a request for the whole file');
    }
    return kept.bytes;
  }
  const length = response.headers.get('content-length');
  if (length !== null && !response.headers.has('content-encoding') && Number(length) !== expected.bytes) {
    void response.body?.cancel().catch(() => undefined);
    throw mismatch({ bytes: Number(length), digest: null }, expected);
  }
  if (kept) context.onNotice?.('Hugging Face Hub: the file cannot be resumed there; starting again.');
  return 0;
}

async function receive(
  response: Response,
  file: ReceivedFile,
  watchdog: Watchdog,
  context: FetchContext,
): Promise<void> {
  const idle = context.timeouts?.idle ?? defaultTimeouts.idle;
  const label = `Downloading ${context.expected.name} (Hugging Face Hub)`;
  let complete = false;
  try {
    for await (const chunk of readBody(response, watchdog)) {
      await file.write(chunk);
      watchdog.restart(idle, `nothing arrived for ${idle / 1000} s`);
      context.onProgress?.({ label, done: file.bytes, total: context.expected.bytes, unit: 'bytes' });
    }
    complete = true;
  } finally {
    if (!complete) await file.close().catch(() => undefined);
    if (!complete && strongEtag(response) === null) await dropPartial(context.partialPath);
  }
}

/** The body's pieces. What goes wrong in here is the network's doing, and only that becomes Interrupted. */
async function* readBody(response: Response, watchdog: Watchdog): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new Interrupted(`connection lost (${rootMessage(watchdog.barked ?? error)})`, { cause: error });
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function finish(file: ReceivedFile, context: FetchContext): Promise<void> {
  await file.close();
  await file.verify();
  await rm(stateOf(context.partialPath), { force: true });
}

function openReceived(context: FetchContext, keep: number): Promise<ReceivedFile> {
  return ReceivedFile.open(context.partialPath, context.expected, { keep, openFile: context.openFile });
}

/** A partial file of this very address whose server can say whether it is still the same file. */
async function resumable(url: string, context: FetchContext): Promise<{ bytes: number; etag: string } | null> {
  const bytes = await sizeOf(context.partialPath);
  const text = bytes > 0 ? await readFile(stateOf(context.partialPath), 'utf8').catch(() => null) : null;
  if (text === null) return null;
  try {
    const state = partialState.parse(JSON.parse(text));
    return state.url === url && bytes <= context.expected.bytes ? { bytes, etag: state.etag } : null;
  } catch {
    return null;
  }
}

/** If-Range takes strong validators only. */
function strongEtag(response: Response): string | null {
  const etag = response.headers.get('etag');
  return etag && !etag.startsWith('W/') ? etag : null;
}

function stateOf(partialPath: string): string {
  return `${partialPath}.json`;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

/** Removes a partial file and what is noted about it. */
export async function dropPartial(partialPath: string): Promise<void> {
  await rm(partialPath, { force: true });
  await rm(stateOf(partialPath), { force: true });
}
