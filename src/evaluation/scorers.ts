import { hookPointWidth, resolveHookPoint, TillerError } from '../../engine/index.ts';
import type { EvaluationPrompt, ResolvedSteering, TextTarget } from '../../routes/services.ts';
import { saysAny } from '../../sae-registry/index.ts';
import type { EvaluationContext } from './context.ts';
import { continuationScorer } from './continuation-scorer.ts';
import type { GeneratedText } from './generated-text.ts';
import { type ReadDirection, readDirection } from './read-direction.ts';
import type { ReplyReading } from './read-reply.ts';

/** A text and what it was made with. */
export interface TextToScore {
  readonly prompt: EvaluationPrompt;
  readonly steering: ResolvedSteering;
  readonly generated: GeneratedText;
  readonly reading: ReplyReading;
  readonly signal: AbortSignal | null;
}

/** A target, looked up. */
export interface Scorer {
  /** Hook point that the text has to be read at; null: none. */
  readonly tap: string | null;
  score(text: TextToScore): Promise<number | null>;
}

/** Targets ready to score. Throws `vector_not_found`, `feature_not_found`, `hook_point_not_found`, `edit_not_applicable`, `invalid_request`. */
export function scorersOf(targets: readonly TextTarget[], context: EvaluationContext): readonly Scorer[] {
  return targets.map((target) => {
    if (target.kind === 'probe') return probeScorer(readDirection(target, context), context);
    if (target.kind === 'continuations') return continuationScorer(target, context);
    return { tap: null, score: async ({ generated }) => Number(saysAny(generated.text, target.words)) };
  });
}

function probeScorer({ direction, bias, threshold, hookPoint }: ReadDirection, context: EvaluationContext): Scorer {
  const { card, tokenizer } = context;
  const tap = resolveHookPoint(hookPoint, card);
  const width = hookPointWidth(card.hookPoints ?? new Map(), tap) ?? card.dModel;
  if (width !== direction.length) throw new TillerError('internal', `a probe ${direction.length} wide at ${tap}`);
  return {
    tap,
    score: async ({ generated: { tokenIds }, reading }) => {
      const values = reading.taps.get(tap);
      // what ends a reply is no word of it
      const counted = tokenIds.flatMap((id, t) => (tokenizer.specialTokenIds.has(id) ? [] : [t]));
      if (!values || counted.length === 0) return null;
      const sum = counted.reduce((total, t) => total + valueAt(values.subarray(t * width, (t + 1) * width)), 0);
      return sum / counted.length;
    },
  };

  function valueAt(stream: Float32Array): number {
    let value = bias;
    for (let i = 0; i < stream.length; i++) value += (stream[i] as number) * (direction[i] as number);
    return value > threshold ? value : 0;
  }
}
