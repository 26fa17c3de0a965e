import retry, { AbortError } from 'p-retry';
import { TillerError } from '../../engine/core/index.ts';
import type { ChatPrompt, Labeller } from '../../sae-registry/labelling/index.ts';
import {
  type ChatCompletion,
  dialectAfter,
  parseChatCompletion,
  requestBody,
  usualDialect,
} from './chat-completion.ts';
import { EndpointFailure, requestEndpoint } from './endpoint-request.ts';
import type { RateGate } from './rate-gate.ts';
import { estimateTokens, type Spending } from './spending.ts';

export interface EndpointOptions {
  /** Up to `/v1`. */
  readonly endpoint: string;
  readonly model: string;
  /** Null: none is sent. */
  readonly key: string | null;
  /** Longest answer. */
  readonly answerTokens: number;
  readonly timeoutMilliseconds: number;
  /** How often a request is sent again. */
  readonly retries: number;
  /** Wait before the first of them, doubled each time up to a minute, with jitter. */
  readonly firstRetryMilliseconds: number;
  readonly gate: RateGate;
  readonly spending: Spending;
  /** Told when the endpoint asks to wait. */
  readonly onNotice: (line: string) => void;
}

/** Waits longer than this are told. */
const noticedWait = 5_000;

/** A model behind an OpenAI-compatible endpoint. What may pass is tried again; while the endpoint asks to wait nothing is sent. */
export function createEndpointLabeller(options: EndpointOptions): Labeller {
  const { endpoint, model, gate, spending } = options;
  const url = `${endpoint.replace(/\/+$/, '')}/chat/completions`;
  let dialect = usualDialect;

  const attempt = async (prompt: ChatPrompt): Promise<ChatCompletion> => {
    const used = dialect;
    const body = requestBody(model, prompt, options.answerTokens, used);
    const estimate = { prompt: estimateTokens(prompt.system + prompt.user), answer: options.answerTokens };
    const passed = await gate.pass(estimate.prompt + estimate.answer);
    try {
      const text = await requestEndpoint({ ...options, url, body });
      const completion = parseChatCompletion(text);
      if (completion === null) throw new EndpointFailure(200, 'the answer is no chat completion', null, true);
      const taken = completion.usage ?? { prompt: estimate.prompt, answer: estimateTokens(completion.text) };
      passed.settle(taken.prompt + taken.answer);
      spending.add(taken, completion.usage === null);
      return completion;
    } catch (error) {
      const next = error instanceof EndpointFailure && error.status === 400 ? dialectAfter(error.message, used) : null;
      if (next === null) throw error;
      dialect = next;
      return attempt(prompt);
    }
  };

  const wait = (error: Error) => {
    const asked = error instanceof EndpointFailure ? error.retryAfterMilliseconds : null;
    if (asked === null) return;
    gate.close(asked);
    if (asked > noticedWait) options.onNotice(`${error.message}. Waiting ${Math.ceil(asked / 1000)} s.`);
  };

  return {
    name: model,
    ask: async (prompt) => {
      const tried = () =>
        attempt(prompt).catch((error: unknown) => {
          // fetch speaks of everything that went wrong as a TypeError, which p-retry would not try again
          if (error instanceof EndpointFailure && !error.passing) throw new AbortError(error);
          throw error instanceof EndpointFailure ? error : new Error(connectionFailure(error), { cause: error });
        });
      const completion = await retry(tried, {
        retries: options.retries,
        minTimeout: options.firstRetryMilliseconds,
        maxTimeout: 60_000,
        randomize: true,
        onFailedAttempt: ({ error }) => wait(error),
      }).catch((error: unknown) => {
        throw asLabellerError(error, url);
      });
      return completion.text;
    },
  };
}

function connectionFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'the endpoint did not answer in time';
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return `the endpoint cannot be reached: ${cause || error.message}`;
}

/** Statuses that any other question would meet too. */
const hopeless = [301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 429];

function asLabellerError(error: unknown, url: string): TillerError {
  const message = error instanceof Error ? error.message : String(error);
  const refused = error instanceof EndpointFailure && !error.passing && hopeless.includes(error.status);
  const code = refused ? 'labeller_refused' : 'labeller_unavailable';
  const hint = refused && error.status === 401 ? ' The key is read from TILLER_LABELLER_KEY.' : '';
  return new TillerError(code, `${url}: ${message}.${hint}`.replace(/\.+(?=$| )/g, '.'), { cause: error });
}
