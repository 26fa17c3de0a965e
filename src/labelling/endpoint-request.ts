import { z } from 'zod';

/** More than this is no answer of a few words. */
const mostBodyBytes = 4 * 1024 * 1024;

/** An answer that is no success. */
export class EndpointFailure extends Error {
  readonly status: number;
  /** Whether the same request may be answered later. */
  readonly passing: boolean;
  /** What the endpoint asks to wait. */
  readonly retryAfterMilliseconds: number | null;

  constructor(status: number, message: string, retryAfterMilliseconds: number | null, passing: boolean) {
    super(message);
    this.status = status;
    this.retryAfterMilliseconds = retryAfterMilliseconds;
    this.passing = passing;
  }
}

export interface EndpointRequest {
  readonly url: string;
  readonly key: string | null;
  readonly body: string;
  readonly timeoutMilliseconds: number;
}

/** POSTs JSON and returns the whole body. Throws `EndpointFailure`, or what `fetch` throws where there is no answer at all. */
export async function requestEndpoint({ url, key, body, timeoutMilliseconds }: EndpointRequest): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key === null ? {} : { Authorization: `Bearer ${key}` }) },
    body,
    // a key must not follow to wherever an address leads
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  const text = await readBody(response);
  if (response.ok) return text;
  const failure = parseFailure(text);
  const message = failure.message ?? text.trim().slice(0, 200);
  const said = `the endpoint answers ${response.status}${message === '' ? '' : `: ${message.replace(/\s+/g, ' ').slice(0, 500)}`}`;
  const passing =
    (response.status === 408 || response.status === 429 || response.status >= 500) &&
    failure.code !== 'insufficient_quota';
  throw new EndpointFailure(response.status, said, retryAfter(response.headers, Date.now()), passing);
}

async function readBody(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > mostBodyBytes) throw new EndpointFailure(response.status, 'the answer is too long', null, false);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

const failureSchema = z
  .object({
    error: z.union([
      z.object({ message: z.string().optional(), code: z.union([z.string(), z.number()]).nullish() }),
      z.string().transform((message) => ({ message, code: null })),
    ]),
  })
  .transform(({ error }) => error);

function parseFailure(body: string): { readonly message?: string; readonly code?: string | number | null } {
  try {
    return failureSchema.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    return {};
  }
}

/** RFC 9110: seconds or a date; and the milliseconds that some endpoints add. Null where it says nothing that can be read. */
export function retryAfter(headers: Headers, now: number): number | null {
  const milliseconds = headers.get('retry-after-ms');
  if (milliseconds !== null && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds);
  const value = headers.get('retry-after');
  if (value === null) return null;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
