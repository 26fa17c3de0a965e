import {
  type EditReport,
  type GenerateRequest,
  type GenerationEvent,
  TillerError,
  type Tokenizer,
  type TokenLogprob,
} from '../../engine/core/index.ts';
import { specials, vocabularySize } from './toy-model.ts';

export interface FakeEngineOptions {
  /** What the model says; default: greets, says its seed, and whether it was steered. */
  readonly reply?: (request: GenerateRequest) => string;
  /** Awaited before each token. */
  readonly beforeToken?: (request: GenerateRequest, index: number) => Promise<void>;
  /** Throws to refuse a request. */
  readonly admit?: (request: GenerateRequest) => void;
}

/** An engine without a model: the reply is known, log-probabilities follow from token ids, requests are recorded. */
export class FakeEngine {
  readonly requests: GenerateRequest[] = [];
  /** Ids of requests whose signal was seen aborted. */
  readonly cancelled: string[] = [];
  readonly #tokenizer: Tokenizer;
  readonly #options: FakeEngineOptions;

  constructor(tokenizer: Tokenizer, options: FakeEngineOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  submit(request: GenerateRequest): AsyncIterable<GenerationEvent> {
    this.#options.admit?.(request);
    this.requests.push(request);
    return this.#generate(request);
  }

  async *#generate(request: GenerateRequest): AsyncGenerator<GenerationEvent> {
    yield { type: 'prompt', logprobs: promptLogprobs(request), queueMilliseconds: 0, cachedTokens: 0 };
    const text = (this.#options.reply ?? defaultReply)(request);
    const planned = [...this.#tokenizer.encode(text, { addSpecialTokens: false }), specials['<|im_end|>']];
    const detokenize = this.#tokenizer.stream({ skipSpecial: true });
    const { maxTokens, strings } = request.stop;
    let said = '';
    let count = 0;
    for (const tokenId of planned.slice(0, maxTokens)) {
      await this.#wait(request, count);
      count++;
      const piece = detokenize.push(tokenId);
      const stop = strings.find((candidate) => (said + piece).endsWith(candidate));
      said += piece;
      const logprob = request.logprobs === null ? null : toyLogprob(tokenId, request.logprobs);
      yield { type: 'token', tokenId, text: stop === undefined ? piece : '', logprob };
      if (stop !== undefined) return yield finish(request, 'stop', stop, '', count);
      if (tokenId === specials['<|im_end|>']) return yield finish(request, 'stop', null, '', count);
    }
    yield finish(request, 'length', null, detokenize.flush(), count);
  }

  async #wait(request: GenerateRequest, index: number): Promise<void> {
    const { signal } = request;
    const cancelled = () => {
      this.cancelled.push(request.id);
      return new TillerError('cancelled', 'The request was cancelled.');
    };
    if (signal?.aborted) throw cancelled();
    if (!this.#options.beforeToken) return;
    let onAbort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(cancelled());
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      await Promise.race([this.#options.beforeToken(request, index), aborted]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function defaultReply(request: GenerateRequest): string {
  const steered = request.edits.length > 0 ? `, steered by ${request.edits.length}` : '';
  return `Hi 🌍, seed ${request.sampling.seed}${steered}.`;
}

/** Most likely: the token itself, then its neighbours in the vocabulary, each a nat less. */
export function toyLogprob(tokenId: number, alternatives: number): TokenLogprob {
  const top = Array.from({ length: alternatives }, (_, rank) => ({
    tokenId: (tokenId + rank) % vocabularySize,
    logprob: -0.5 - rank,
  }));
  return { tokenId, logprob: -0.5, top };
}

function promptLogprobs(request: GenerateRequest): (TokenLogprob | null)[] | null {
  const { promptLogprobs: alternatives } = request;
  if (alternatives === null) return null;
  return Array.from(request.promptTokenIds, (id, position) => (position === 0 ? null : toyLogprob(id, alternatives)));
}

function finish(
  request: GenerateRequest,
  reason: 'stop' | 'length',
  stopReason: string | null,
  text: string,
  completionTokens: number,
): GenerationEvent {
  const promptTokens = request.promptTokenIds.length;
  const edits = request.edits.map(
    (): EditReport => ({
      tokens: promptTokens + completionTokens - 1,
      sinkTokens: 0,
      coefficient: { min: 1, max: 1 },
      relativeDose: 0.1,
      readBefore: null,
      readAfter: null,
    }),
  );
  return { type: 'finish', reason, stopReason, text, promptTokens, completionTokens, edits };
}
