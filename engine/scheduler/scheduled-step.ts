import type { PrefixSharing } from '../core/prefix-sharing.ts';
import type { StepKind } from '../core/step.ts';
import type { SlotStore } from './slots.ts';

/** A step as the scheduler sees it: who, where and how many tokens. engine.ts adds tokens and edits (core `StepPlan`). */
export interface ScheduledStep {
  readonly kind: StepKind;
  readonly rows: readonly ScheduledRow[];
  /** How many of the last rows read prompts; the others decode. */
  readonly prompts: number;
  /** What it should take; null before a step of its kind has been seen. */
  readonly predictedMilliseconds: number | null;
}

export interface ScheduledRow {
  readonly requestId: string;
  readonly slot: number;
  /** Position of the first input token; the number of tokens already in the slot. */
  readonly start: number;
  /** Input tokens of this step. */
  readonly count: number;
}

/** What is to be done next, before memory and slots are found for it. */
export type StepChoice =
  | { readonly kind: 'prefill' | 'mixed' /** Whose prompt is read. */; readonly requestId: string }
  | { readonly kind: 'decode' };

/** What became of a choice. Only the first kind can be run; after the others another step is planned. */
export type Reservation =
  | { readonly kind: 'reserved'; readonly step: ScheduledStep }
  /** The rows it was for gave way to earlier ones, or could not be brought where they belong. */
  | { readonly kind: 'capacity_deferred' }
  /** A row left meanwhile. */
  | { readonly kind: 'superseded' };

/** What became of a row in a step: it goes on, its reply is complete, or it failed. */
export type RowOutcome = 'continue' | 'finished' | 'failed';

/** What happens to requests between steps, told as it happens. */
export interface SchedulerListener {
  /** A row that could not be moved or filled was given up. */
  lost(requestId: string, error: unknown): void;
  /** A row gave its memory back; its request waits again. */
  preempted(requestId: string, tokens: number): void;
  /** The prefix cache could not keep a row's tokens: nothing is lost but time. */
  notKept(error: unknown): void;
}

export interface SchedulerOptions {
  /** Most rows. `store` has one slot more. */
  readonly slots: number;
  readonly context: number;
  readonly maxChunk: number;
  /** core/step.ts `Executor.ragged`; default false: rows that decode hold slots 0 … n−1, and prompts have steps of their own. */
  readonly ragged?: boolean;
  /** Requests that may wait beyond those that have a row. */
  readonly queueLimit: number;
  /** Most tokens of KV memory that rows and prefix blocks hold together. */
  readonly keyValueTokenLimit: number;
  /** policy.ts `defaultPrefillRatio` */
  readonly prefillRatio?: number;
  /** policy.ts `defaultGrowthTokens` */
  readonly growthTokens?: number;
  readonly store: SlotStore;
  readonly prefix: PrefixSharing | null;
  readonly listener: SchedulerListener;
}
