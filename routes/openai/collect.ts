import { type GenerationEvent, TillerError, type TokenLogprob } from '../../engine/core/index.ts';
import type { Merged } from '../http/merge.ts';
import type { Generation } from './generation.ts';
import type { Tally } from './tally.ts';

/** One finished choice. */
export interface CollectedChoice {
  readonly text: string;
  readonly promptLogprobs: readonly (TokenLogprob | null)[] | null;
  readonly logprobs: readonly TokenLogprob[];
  readonly finish: Extract<GenerationEvent, { readonly type: 'finish' }>;
}

/** Waits for every choice of an answer that is not streamed, in the order of choice indices. */
export async function collectChoices(
  generation: Generation,
  events: AsyncIterable<Merged<GenerationEvent>>,
  tally: Tally,
): Promise<CollectedChoice[]> {
  const byChoice = generation.requests.map((): GenerationEvent[] => []);
  for await (const event of events) {
    tally.count(event);
    byChoice[event.index]?.push(event.value);
  }
  return byChoice.map(toChoice);
}

function toChoice(events: readonly GenerationEvent[]): CollectedChoice {
  const finish = events.at(-1);
  if (finish?.type !== 'finish') throw new TillerError('internal', 'The engine ended a choice without finishing it.');
  let promptLogprobs: CollectedChoice['promptLogprobs'] = null;
  const logprobs: TokenLogprob[] = [];
  let text = '';
  for (const event of events) {
    if (event.type === 'prompt') {
      promptLogprobs = event.logprobs;
      continue;
    }
    if (event.type === 'activations' || event.type === 'logits') continue;
    text += event.text;
    if (event.type === 'token' && event.logprob) logprobs.push(event.logprob);
  }
  return { text, promptLogprobs, logprobs, finish };
}
