import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { TillerError } from '../engine/core/index.ts';
import type { App } from './app.ts';

/** Longer than load balancers keep idle connections, so that it is never the server that closes one under a request. */
const keepAliveMilliseconds = 75_000;

/** How long a closing server waits for connections on which nothing was asked. */
const silentMilliseconds = 250;

export interface ListenOptions {
  readonly app: App;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/** A listening server. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Answers that are not complete yet. */
  inFlight(): number;
  /**
   * Takes no new connections, waits for answers in flight, then closes. After the time given, connections are cut:
   * `forced`. Calling it again cuts at once.
   */
  close(milliseconds: number): Promise<'clean' | 'forced'>;
}

/** Serves the app over HTTP/1.1. Throws `invalid_request` with param `port` or `host` where the address cannot be had. */
export async function listen({ app, host, port }: ListenOptions): Promise<RunningServer> {
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  server.keepAliveTimeout = keepAliveMilliseconds;
  const answers = trackAnswers(server);
  await bind(server, host, port);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    inFlight: answers.count,
    close: closer(server, answers),
  };
}

interface Answers {
  count(): number;
  /** Settles when no answer is in flight. */
  done(): Promise<void>;
}

function trackAnswers(server: Server): Answers {
  let open = 0;
  let waiting: (() => void)[] = [];
  server.on('request', (_, response) => {
    open++;
    response.once('close', () => {
      open--;
      if (open > 0) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    });
  });
  return {
    count: () => open,
    done: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

function closer(server: Server, answers: Answers): RunningServer['close'] {
  let closing = false;
  return async (milliseconds) => {
    if (closing) {
      server.closeAllConnections();
      return 'forced';
    }
    closing = true;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    let forced = false;
    const timer = setTimeout(() => {
      forced = true;
      server.closeAllConnections();
    }, milliseconds);
    await answers.done();
    // Kept-alive connections would hold the server open until their own timeout; so would those that never asked anything,
    // which Node does not count as idle. With no answer in flight, cutting them loses nothing.
    server.closeIdleConnections();
    const silent = setTimeout(() => server.closeAllConnections(), Math.min(silentMilliseconds, milliseconds));
    await closed;
    clearTimeout(silent);
    clearTimeout(timer);
    return forced ? 'forced' : 'clean';
  };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(addressError(error, host, port));
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
}

function addressError(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  const fail = (param: string, message: string) => new TillerError('invalid_request', message, { param, cause: error });
  switch (error.code) {
    case 'EADDRINUSE':
      return fail(
        'port',
        `Port ${port} on ${host} is taken by another process: stop it, or choose another with --port.`,
      );
    case 'EACCES':
      return fail('port', `No permission to listen on port ${port}: choose one above 1023 with --port.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return fail('host', `This machine has no address '${host}': choose another with --host.`);
    default:
      return error;
  }
}
