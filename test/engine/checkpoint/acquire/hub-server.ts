import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubServer {
  readonly endpoint: string;
  /** Headers and addresses of the requests so far. */
  readonly requests: readonly IncomingMessage[];
  close(): Promise<void>;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, number: number) => void;

/** A local stand-in for the Hub; `answer` gets the number of the request, from 0. */
export async function startHub(answer: Answer): Promise<HubServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Breaks a connection off once the client has got so far, and not before: what it had written is then known exactly. */
export class Cut {
  readonly #waiting = new Map<number, () => void>();

  /** To be called with the client's progress. */
  readonly arrived = (bytes: number): void => this.#waiting.get(bytes)?.();

  when(bytes: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(bytes, resolve));
  }
}

/** Serves a file as the Hub does: ETag, and Range where If-Range names that ETag. `cutAfter`: bytes until the line breaks. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  options: {
    readonly etag?: string | null;
    readonly cutAfter?: number;
    readonly cut?: Cut;
    readonly ignoreRange?: boolean;
  } = {},
): void {
  const etag = options.etag === undefined ? '"first"' : options.etag;
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const partial = range && !options.ignoreRange && request.headers['if-range'] === etag;
  const from = partial ? Number(range[1]) : 0;
  const part = body.subarray(from);
  response.writeHead(partial ? 206 : 200, {
    'content-length': part.length,
    ...(etag === null ? {} : { etag }),
    ...(partial ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
  });
  if (options.cutAfter === undefined || !options.cut) {
    response.end(part);
    return;
  }
  void options.cut.when(from + options.cutAfter).then(() => response.destroy());
  response.write(part.subarray(0, options.cutAfter));
}
