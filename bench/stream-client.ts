import { Agent, request as httpRequest } from 'node:http';
import { z } from 'zod';

/** What the last chunks of a streamed completion tell. */
const usageSchema = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
});

/** One streamed answer. Times are those of performance.now(). */
export interface StreamTiming {
  readonly sentAt: number;
  /** When each chunk of text arrived. */
  readonly chunksAt: readonly number[];
  readonly endedAt: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of the prompt; null where the service does not tell. */
  readonly cachedTokens: number | null;
}

/** A connection for each answer in flight, kept for the next. */
const agent = new Agent({ keepAlive: true });

/** Asks the stream for its usage, which the figures need. */
export const withUsage = { stream: true, stream_options: { include_usage: true } } as const;

/**
 * Sends a request for a streamed completion and notes when each chunk arrives; as little as possible is done with it, since client and
 * service share the machine. `onChunk` is told how many there were. Rejects for any status but 200, an error event, and a stream that ends too soon.
 */
export function streamCompletion(
  url: string,
  body: object,
  options: { readonly signal?: AbortSignal; readonly onChunk?: (chunks: number) => void } = {},
): Promise<StreamTiming> {
  const payload = JSON.stringify({ ...body, ...withUsage });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  return new Promise((resolve, reject) => {
    const sentAt = performance.now();
    const call = httpRequest(url, { method: 'POST', headers, agent, signal: options.signal }, (response) => {
      const events = new EventReader();
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const before = events.chunksAt.length;
        events.take(text, performance.now());
        if (events.chunksAt.length > before) options.onChunk?.(events.chunksAt.length);
      });
      response.on('error', reject);
      response.on('end', () => {
        const endedAt = performance.now();
        const { chunksAt, usage, failure } = events;
        if (response.statusCode !== 200 || failure !== null) {
          reject(new Error(`status ${response.statusCode}: ${failure ?? events.rest}`));
        } else if (usage === null || chunksAt.length === 0) reject(new Error('the stream ended too soon'));
        else {
          const { prompt_tokens: promptTokens, completion_tokens: outputTokens } = usage;
          const cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? null;
          resolve({ sentAt, chunksAt, endedAt, promptTokens, outputTokens, cachedTokens });
        }
      });
    });
    call.on('error', reject);
    call.end(payload);
  });
}

/** Reads server-sent events piece by piece. Only what ends a stream is parsed. */
export class EventReader {
  readonly chunksAt: number[] = [];
  usage: z.infer<typeof usageSchema> | null = null;
  failure: string | null = null;
  /** What is not an event (yet). */
  rest = '';

  take(text: string, now: number): void {
    const pieces = (this.rest + text).split('\n\n');
    this.rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      if (!piece.startsWith('data: ') || piece === 'data: [DONE]') continue;
      const data = piece.slice('data: '.length);
      if (data.includes('"choices":[{')) this.chunksAt.push(now);
      else this.#last(JSON.parse(data));
    }
  }

  #last(event: unknown): void {
    const { usage } = z.object({ usage: usageSchema.nullish() }).parse(event);
    if (usage) this.usage = usage;
    else this.failure = JSON.stringify(event);
  }
}
