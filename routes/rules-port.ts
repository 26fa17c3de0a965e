/** The port's part for conditional steering: `steering.rules`. */
import type { ConditionTree, ConditionUnit, PromptAggregate } from '../engine/core/index.ts';
import type { EditRequest, SteeringBlockEdit } from './services.ts';

/** One comparison as a request states it. Exactly one of `feature`, `vector` and `probe`. */
export interface ComparisonRequest {
  readonly kind: 'compare';
  readonly feature?: string;
  /** Read along its unit direction. */
  readonly vector?: ReadVector;
  /** Read as it is, with a bias. */
  readonly probe?: ReadVector;
  /** Of a probe; 0 otherwise. */
  readonly bias: number;
  /** Which of a saved vector's hook points; null: it has one. */
  readonly hookPoint: string | null;
  readonly above: boolean;
  readonly threshold: number;
  /** Null: `max_activation` for features, `stream_norm` for vectors, `raw` for probes. */
  readonly unit: ConditionUnit | null;
  readonly over: 'token' | PromptAggregate;
  /** Where it stands: `steering.rules[1].when.any[0]`. */
  readonly param: string;
}

/** A saved vector's name, or the direction itself. */
export type ReadVector = string | { readonly hookPoint: string; readonly data: Float32Array };

export type ConditionRequest = ConditionTree<ComparisonRequest>;

/** One rule as a request states it. */
export interface RuleRequest {
  readonly when: ConditionRequest;
  readonly latch: boolean;
  readonly edits: readonly EditRequest[];
  readonly stop: boolean;
  /** `steering.rules[0]`. */
  readonly param: string;
}

/** What a steered answer says about one rule (docs/steering.md, "Rules"); of several choices, of all of them together. */
export interface SteeringBlockRule {
  /** The rule is the profile's. */
  readonly from_profile?: true;
  /** Tokens of which its condition read anything. */
  readonly tokens_read: number;
  /** Input position through which its condition first held, in the first choice where it did; null: in none. */
  readonly first_fired: number | null;
  /** Verdicts that were true. */
  readonly times_fired: number;
  readonly latched: boolean;
  /** It ended the reply. */
  readonly stopped: boolean;
  /** What each comparison read, in the order in which they stand; in its own unit. Null: nothing was read. */
  readonly comparisons: readonly {
    readonly target: string;
    readonly hook_point: string;
    readonly unit: ConditionUnit;
    readonly read: { readonly min: number; readonly max: number; readonly mean: number } | null;
  }[];
  readonly edits: readonly SteeringBlockEdit[];
}
