import type { Tokenizer, TokenLogprob } from '../../engine/core/index.ts';
import type { Generation } from './generation.ts';
import type { ChatLogprobs } from './schemas/chat.ts';

/** Fields that begin every answer and every chunk. */
export function answerHead<T extends string>(generation: Generation, object: T) {
  const { card } = generation.model;
  return {
    id: generation.id,
    object,
    created: generation.createdUnixSeconds,
    model: generation.modelName,
    system_fingerprint: `${card.hash.slice(0, 12)}-${card.precision}-${card.operators}`,
  };
}

/** Log-probabilities of generated tokens in the chat shape, with every token's exact bytes. */
export function chatLogprobs(entries: readonly TokenLogprob[], tokenizer: Tokenizer): ChatLogprobs {
  const describe = (tokenId: number, logprob: number) => ({
    token: tokenizer.tokenText(tokenId),
    logprob: finite(logprob),
    bytes: [...tokenizer.tokenBytes(tokenId)],
  });
  return {
    content: entries.map((entry) => ({
      ...describe(entry.tokenId, entry.logprob),
      top_logprobs: entry.top.map(({ tokenId, logprob }) => describe(tokenId, logprob)),
    })),
    refusal: null,
  };
}

/** JSON has no −∞, which is what a token that was ruled out has: OpenAI's stand-in is −9999. */
export function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : -9999;
}
