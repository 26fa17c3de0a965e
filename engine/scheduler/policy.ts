/**
 * Which step comes next, as pure functions over plain values: no queue, no model, no clock.
 *
 * The policy: requests are prefilled one at a time, in the order they came; while some rows decode and another
 * still prefills, one prefill chunk alternates with one decode step, so that neither a long prompt starves the replies nor
 * the replies a new prompt.
 */

/** What the choice of a step depends on. */
export interface PolicySnapshot {
  /** Prompt tokens that the prefilling row still has to read; null when no row prefills. */
  readonly prefillTokensLeft: number | null;
  /** Rows that decode. */
  readonly decodeRows: number;
  /** Kind of the step before this one; null before the first. */
  readonly previous: 'prefill' | 'decode' | null;
  /** Most tokens that one prefill step takes. */
  readonly maxChunk: number;
}

export type StepChoice =
  | { readonly kind: 'prefill'; readonly tokens: number }
  | { readonly kind: 'decode' }
  | { readonly kind: 'idle' };

/** The next step. */
export function chooseStep(snapshot: PolicySnapshot): StepChoice {
  const { prefillTokensLeft, decodeRows, previous, maxChunk } = snapshot;
  if (prefillTokensLeft === null) return decodeRows > 0 ? { kind: 'decode' } : { kind: 'idle' };
  if (decodeRows > 0 && previous === 'prefill') return { kind: 'decode' };
  return { kind: 'prefill', tokens: Math.min(prefillTokensLeft, maxChunk) };
}

/**
 * Which waiting request to prefill next: the first that is ready. One that still waits for its graph variant keeps its
 * place and is overtaken meanwhile. Null when there is none, or no free slot, or another row still prefills.
 */
export function chooseNextPrefill(state: {
  readonly waiting: readonly { readonly requestId: string; readonly ready: boolean }[];
  readonly prefilling: boolean;
  readonly freeSlots: number;
}): string | null {
  if (state.prefilling || state.freeSlots < 1) return null;
  return state.waiting.find((request) => request.ready)?.requestId ?? null;
}
