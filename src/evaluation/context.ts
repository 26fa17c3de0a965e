import type { Tokenizer } from '../../engine/index.ts';
import type { ModelCard, ModelService } from '../../routes/services.ts';
import type { Registry } from '../../sae-registry/index.ts';
import type { SavedLookup } from '../profiles/saved-steerings.ts';

/** What measuring needs of a loaded model. */
export interface EvaluationContext extends Pick<ModelService, 'submit' | 'resolveSteering'> {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
  readonly registry: Registry;
  readonly saved: SavedLookup;
}

/** Requests that are with the engine at once: a quarter of its rows stays free for whoever asks meanwhile. */
export function togetherOf({ card }: EvaluationContext): number {
  const { rows } = card.capacity;
  return Math.max(1, rows - Math.ceil(rows / 4));
}
