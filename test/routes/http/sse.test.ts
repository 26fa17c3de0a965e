import { describe, expect, it } from 'vitest';
import { watchClient } from '../../../routes/http/cancel.ts';
import { createRouter } from '../../../routes/http/router.ts';
import { dataEvent, doneEvent, sseResponse } from '../../../routes/http/sse.ts';
import { gate } from '../../harness/http.ts';

/** A router whose `/` streams the given events, and what was seen of it. */
function streaming(
  events: () => AsyncGenerator<string>,
  { keepAliveMilliseconds = 60_000, stallMilliseconds = 60_000 } = {},
) {
  const seen = { gone: 0, ended: [] as string[], aborted: false };
  const app = createRouter();
  app.get('/', async (c) => {
    const presence = watchClient(c, () => {
      seen.gone++;
    });
    presence.signal.addEventListener('abort', () => {
      seen.aborted = true;
    });
    const renderFailure = () => dataEvent({ error: 'failed' });
    const times = { keepAliveMilliseconds, stallMilliseconds };
    const response = await sseResponse(c, { events: events(), presence, renderFailure, ...times });
    c.get('streamEnded')?.then((how) => seen.ended.push(how));
    return response;
  });
  app.onError((error) => new Response(error.message, { status: 500 }));
  return { app, seen };
}

describe('sseResponse', () => {
  it('streams every event and tells that it was complete', async () => {
    const { app, seen } = streaming(async function* () {
      yield dataEvent({ a: 1 });
      yield doneEvent;
    });
    expect(await (await app.request('/')).text()).toBe('data: {"a":1}\n\ndata: [DONE]\n\n');
    expect(seen).toEqual({ gone: 0, ended: ['complete'], aborted: false });
  });

  it('keeps the connection alive with comments while nothing comes', async () => {
    const { opened, open } = gate();
    const { app } = streaming(
      async function* () {
        await opened;
        yield doneEvent;
      },
      { keepAliveMilliseconds: 5 },
    );
    const reader = (await app.request('/')).body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe(': keep-alive\n\n');
    open();
    let value: string | undefined = ': keep-alive\n\n';
    while (value === ': keep-alive\n\n') value = (await reader?.read())?.value;
    expect(value).toBe(doneEvent);
  });

  it('throws what fails before the first event', async () => {
    const { app } = streaming(async function* () {
      yield* [];
      throw new Error('at once');
    });
    const response = await app.request('/');
    expect([response.status, await response.text()]).toEqual([500, 'at once']);
  });

  it('tells inside the stream what fails later', async () => {
    const { app, seen } = streaming(async function* () {
      yield dataEvent(1);
      throw new Error('later');
    });
    expect(await (await app.request('/')).text()).toBe('data: 1\n\ndata: {"error":"failed"}\n\n');
    expect(seen).toMatchObject({ gone: 0, ended: ['failed'] });
  });

  it('takes a reader that cancels for a client that has gone', async () => {
    let closed = false;
    const { app, seen } = streaming(async function* () {
      try {
        for (;;) yield dataEvent(1);
      } finally {
        closed = true;
      }
    });
    const reader = (await app.request('/')).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await new Promise(setImmediate);
    expect(seen).toEqual({ gone: 1, ended: ['gone'], aborted: true });
    expect(closed).toBe(true);
  });

  it('drops a reader that takes nothing for too long, and cuts its connection', async () => {
    let closed = false;
    const { app, seen } = streaming(
      async function* () {
        try {
          for (;;) yield dataEvent(1);
        } finally {
          closed = true;
        }
      },
      { stallMilliseconds: 20 },
    );
    let cut: () => void = () => undefined;
    const untilCut = new Promise<void>((resolve) => {
      cut = resolve;
    });
    const reader = (await app.request('/', {}, { outgoing: { destroy: cut } })).body?.getReader();
    await reader?.read();
    await untilCut;
    await new Promise(setImmediate);
    expect(seen).toEqual({ gone: 1, ended: ['gone'], aborted: true });
    expect(closed).toBe(true);
    expect((await reader?.read())?.done).toBe(true);
  });

  it('does not take waiting for the model for a stalled reader', async () => {
    const { opened, open } = gate();
    const { app, seen } = streaming(
      async function* () {
        yield dataEvent(1);
        await opened;
        yield doneEvent;
      },
      { stallMilliseconds: 10 },
    );
    const text = Promise.resolve(app.request('/')).then((response) => response.text());
    await new Promise((resolve) => setTimeout(resolve, 60));
    open();
    expect(await text).toBe(dataEvent(1) + doneEvent);
    expect(seen).toEqual({ gone: 0, ended: ['complete'], aborted: false });
  });
});
