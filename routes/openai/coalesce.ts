import type { GenerationEvent, TokenLogprob } from '../../engine/core/index.ts';
import type { Merged } from '../http/merge.ts';

/** Tokens that came while nobody took them, as one. Nothing of them is lost: texts are joined, the rest is in order. */
export interface TokensEvent {
  readonly type: 'tokens';
  readonly text: string;
  /** Tokens, also those whose text is not certain yet. */
  readonly count: number;
  /** One for each token; empty where none were asked for. */
  readonly logprobs: readonly TokenLogprob[];
}

/** What a streamed answer is made of; this dialect has nothing read. */
export type StreamedEvent =
  | Exclude<GenerationEvent, { readonly type: 'token' | 'activations' | 'logits' }>
  | TokensEvent;

/** Most tokens that one chunk may join: even with 20 alternatives each it is serialised in a few milliseconds. */
export const longestJoined = 64;

interface Tokens {
  readonly type: 'tokens';
  text: string;
  count: number;
  readonly logprobs: TokenLogprob[];
}

/**
 * Takes events as soon as they come, whatever the pace of the reader, and joins tokens of one choice that wait for it. So a
 * reader who keeps up gets every token at once, a slow one fewer and longer chunks with the same text, and what waits for
 * it is never more than its reply: the texts and log-probabilities of the tokens that `max_tokens` allows.
 */
export async function* coalesce(
  events: AsyncGenerator<Merged<GenerationEvent>>,
): AsyncGenerator<Merged<StreamedEvent>> {
  const waiting: Merged<Exclude<StreamedEvent, TokensEvent> | Tokens>[] = [];
  let ended: { readonly failure: unknown } | 'well' | null = null;
  let wake: () => void = () => undefined;
  const pump = async () => {
    try {
      for await (const event of events) {
        append(waiting, event);
        wake();
      }
      ended = 'well';
    } catch (failure) {
      ended = { failure };
    }
    wake();
  };
  const isOver = () => ended;
  void pump();
  try {
    for (;;) {
      const event = waiting.shift();
      if (event) {
        yield event;
        continue;
      }
      const over = isOver();
      if (over === 'well') return;
      if (over) throw over.failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    // Not awaited: events that are still to come end when their abort signal says so.
    events.return(undefined).catch(() => undefined);
  }
}

function append(
  waiting: Merged<Exclude<StreamedEvent, TokensEvent> | Tokens>[],
  { index, value }: Merged<GenerationEvent>,
): void {
  if (value.type === 'activations' || value.type === 'logits') return;
  if (value.type !== 'token') {
    waiting.push({ index, value });
    return;
  }
  const logprobs = value.logprob ? [value.logprob] : [];
  const before = waiting.findLast((event) => event.index === index)?.value;
  if (before?.type !== 'tokens' || before.count >= longestJoined) {
    waiting.push({ index, value: { type: 'tokens', text: value.text, count: 1, logprobs } });
    return;
  }
  before.text += value.text;
  before.count++;
  before.logprobs.push(...logprobs);
}
