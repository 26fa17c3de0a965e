/**
 * Whether a request may enter, as pure arithmetic over plain counters, so that it can be decided (and tested) before
 * anything else of the request exists.
 */
import { TillerError } from '../core/errors.ts';

export interface AdmissionSnapshot {
  /** Tokens that one slot can hold. */
  readonly context: number;
  /** Tokens that all rows together can hold. */
  readonly keyValueTokenLimit: number;
  readonly slots: number;
  /** Requests that may wait beyond those that have a slot. */
  readonly queueLimit: number;
  /** Requests inside now: waiting, prefilling and running. */
  readonly inside: number;
  /** When the last requests ended, oldest first, in milliseconds; for the Retry-After estimate. */
  readonly recentFinishes: readonly number[];
  readonly now: number;
}

/** Seconds told to a client while nothing has finished yet to measure a rate from. */
const defaultRetryAfterSeconds = 5;
const longestRetryAfterSeconds = 120;

/**
 * Throws `invalid_request` for an empty prompt, `context_length_exceeded` when prompt and reply together can never fit the
 * context or the KV memory, and `queue_full` when no place is free.
 */
export function admit(
  request: { readonly promptLength: number; readonly maxTokens: number },
  snapshot: AdmissionSnapshot,
): void {
  const { promptLength, maxTokens } = request;
  const { context, keyValueTokenLimit, slots, queueLimit, inside } = snapshot;
  const limit = Math.min(context, keyValueTokenLimit);
  if (promptLength === 0) {
    throw new TillerError('invalid_request', 'The prompt has no tokens. Send at least one.', { param: 'prompt' });
  }
  if (promptLength + maxTokens > limit) {
    const which = limit < context ? 'The KV memory holds' : 'The context is';
    throw new TillerError(
      'context_length_exceeded',
      `${which} ${limit} tokens; the prompt has ${promptLength} and max_tokens asks for ${maxTokens} more, ` +
        `${promptLength + maxTokens} together. ${wayOut(promptLength, limit)}`,
      { param: promptLength > limit ? 'prompt' : 'max_tokens' },
    );
  }
  if (inside >= slots + queueLimit) {
    const retryAfterSeconds = estimateRetryAfter(snapshot.recentFinishes, snapshot.now);
    throw new TillerError(
      'queue_full',
      `${slots} requests can run and ${queueLimit} can wait, and all those places are taken. ` +
        `Try again in about ${retryAfterSeconds} s.`,
      { retryAfterSeconds },
    );
  }
}

function wayOut(promptLength: number, limit: number): string {
  return promptLength >= limit
    ? `Shorten the prompt below ${limit} tokens.`
    : `Ask for at most ${limit - promptLength} tokens, or shorten the prompt.`;
}

/**
 * Whole seconds until a place should be free: the mean time between the recent finishes. The time since the last one
 * counts too, so that the estimate grows while nothing finishes.
 */
export function estimateRetryAfter(recentFinishes: readonly number[], now: number): number {
  const [oldest] = recentFinishes;
  const last = recentFinishes.at(-1);
  if (oldest === undefined || last === undefined) return defaultRetryAfterSeconds;
  const between = recentFinishes.length > 1 ? (last - oldest) / (recentFinishes.length - 1) : 0;
  const seconds = Math.max(between, now - last) / 1000;
  return Math.min(longestRetryAfterSeconds, Math.max(1, Math.ceil(seconds)));
}
