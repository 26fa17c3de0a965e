import { TillerError } from '../../engine/index.ts';
import type { TextTarget } from '../../routes/services.ts';
import type { EvaluationContext } from './context.ts';
import { readReply } from './read-reply.ts';
import type { Scorer, TextToScore } from './scorers.ts';

let requests = 0;

/**
 * The log-probability that the steered reply to a prompt begins with one of several texts: each is read behind the prompt with the very
 * edits, at the very positions, and what they come to is added up. It does not depend on what was sampled, and is read once for a prompt.
 */
export function continuationScorer(
  { continuations, param }: Extract<TextTarget, { readonly kind: 'continuations' }>,
  context: EvaluationContext,
): Scorer {
  const { tokenizer } = context;
  const sequences = continuations.map((text, i) => {
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    if (ids.length > 0) return ids;
    throw new TillerError('invalid_request', 'A continuation of no token.', { param: `${param}.continuations[${i}]` });
  });
  refuseNested(sequences, continuations, param);
  const known = new WeakMap<TextToScore['steering'], Map<TextToScore['prompt'], Promise<number>>>();
  const measure = async ({ prompt, steering, signal }: TextToScore): Promise<number> => {
    const positions = prompt.positions(steering.edits);
    const logs: number[] = [];
    for (const replyTokenIds of sequences) {
      const id = `continuation-${++requests}`;
      const { tokenIds: promptTokenIds } = prompt;
      const { edits } = steering;
      const { logprobs } = await readReply(context, {
        ...{ id, promptTokenIds, replyTokenIds, taps: [], edits, positions, signal },
      });
      logs.push(logprobs.reduce((sum, value) => sum + value, 0));
    }
    const most = Math.max(...logs);
    return most + Math.log(logs.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
  return {
    tap: null,
    score: (text) => {
      const ofSteering = known.get(text.steering) ?? new Map<TextToScore['prompt'], Promise<number>>();
      known.set(text.steering, ofSteering);
      const there = ofSteering.get(text.prompt);
      if (there) return there;
      const measured = measure(text);
      ofSteering.set(text.prompt, measured);
      return measured;
    },
  };
}

/** One that begins with another would be counted twice. */
function refuseNested(sequences: readonly Int32Array[], texts: readonly string[], param: string): void {
  for (const [i, longer] of sequences.entries()) {
    const j = sequences.findIndex((shorter, at) => at !== i && shorter.every((id, t) => longer[t] === id));
    if (j < 0) continue;
    const message = `'${texts[i]}' begins with '${texts[j]}', which counts for both: leave the longer one out.`;
    throw new TillerError('invalid_request', message, { param: `${param}.continuations[${i}]` });
  }
}
