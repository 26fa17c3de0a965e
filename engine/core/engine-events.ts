import type { StepKind } from './step.ts';

/** How a request is steered, as far as sharing its prompt goes. */
export const steeringClasses = ['none', 'decode_only', 'prompt'] as const;
/**
 * `none`: no edits. `decode_only`: edits that touch no prompt token but the last, so that its prompt is shared with unsteered
 * traffic. `prompt`: edits that touch earlier prompt tokens.
 */
export type SteeringClass = (typeof steeringClasses)[number];

/** Milliseconds of one step, by what they went into. */
export interface StepPhases {
  /** Choosing rows, moving slots, building rows. */
  readonly plan: number;
  /** The executor: packing inputs and the graph run. */
  readonly run: number;
  /** Sampling, text, readings, commit. */
  readonly commit: number;
}

/** What the engine tells whoever watches it (metrics, logs). Plain values, emitted synchronously after a step. */
export type EngineEvent =
  | { readonly type: 'queued'; readonly requestId: string; readonly promptTokens: number; readonly maxTokens: number }
  | { readonly type: 'started'; readonly requestId: string; readonly queueMilliseconds: number }
  /** The prompt is in the cache; the reply begins. Once a request, however often it is preempted afterwards. */
  | {
      readonly type: 'prompt_read';
      readonly requestId: string;
      readonly steeringClass: SteeringClass;
      readonly promptTokens: number;
      /** Of those, taken from the prefix cache. */
      readonly cachedTokens: number;
      /** From the first step to the last one over the prompt. */
      readonly milliseconds: number;
    }
  | { readonly type: 'first_token'; readonly requestId: string; readonly milliseconds: number }
  /** A later token, and how long after the one before it. */
  | { readonly type: 'next_token'; readonly requestId: string; readonly milliseconds: number }
  | {
      readonly type: 'step';
      readonly kind: StepKind;
      readonly rows: number;
      readonly steeredRows: number;
      /** Different sets of edits among the rows; rows without edits do not count. */
      readonly distinctSteerings: number;
      readonly tokens: number;
      /** Tokens that an edit named, counted once for each edit. */
      readonly editedTokens: number;
      readonly milliseconds: number;
      readonly phases: StepPhases;
      /** What the cost model had expected; null before it knows anything. */
      readonly predictedMilliseconds: number | null;
    }
  /** Gave its row's memory back in favour of an earlier request; it goes on later, with nothing lost. */
  | { readonly type: 'preempted'; readonly requestId: string; readonly tokens: number }
  /** A batch failed and its rows were run again one by one. */
  | { readonly type: 'step_retried'; readonly rows: number }
  /** A row's logits were not finite numbers; its request ends with an error. */
  | { readonly type: 'corrupted'; readonly requestId: string }
  | {
      readonly type: 'finished';
      readonly requestId: string;
      readonly outcome: 'stop' | 'length' | 'rule' | 'cancelled' | 'deadline' | 'error';
      readonly promptTokens: number;
      readonly completionTokens: number;
      readonly steered: boolean;
      readonly milliseconds: number;
      /** The parts of `milliseconds`: waiting, reading the prompt, generating. Null for what did not begin. */
      readonly queueMilliseconds: number | null;
      readonly prefillMilliseconds: number | null;
      readonly decodeMilliseconds: number | null;
    };

export type EngineObserver = (event: EngineEvent) => void;

/** A snapshot for gauges. Counters in it only grow. */
export interface EngineStatistics {
  readonly running: number;
  readonly waiting: number;
  /** Of those waiting: the graph variant they need is being built; and no row or memory is free. */
  readonly waitingForVariant: number;
  readonly waitingForCapacity: number;
  readonly slots: number;
  readonly context: number;
  /** Tokens held in KV slots now, and those that prefix blocks hold. */
  readonly keyValueTokens: number;
  readonly prefixTokens: number;
  /** Most tokens that slots and prefix blocks may hold together. */
  readonly keyValueTokenLimit: number;
  readonly keyValueTokenBytes: number;
  /** Prompt tokens looked up in the prefix cache, and those found. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  readonly prefixBlocksEvicted: number;
  readonly variantsBuilt: number;
  readonly variantsCached: number;
  /** Variants evicted to make room; and steps that ran a wider variant while theirs was being built. */
  readonly variantsEvicted: number;
  readonly variantFallbackSteps: number;
  readonly variantBuildMilliseconds: number;
  readonly queueLimit: number;
  readonly draining: boolean;
  /** Why the engine stopped for good, by a mistake of its own; null while it works. */
  readonly broken: string | null;
}
