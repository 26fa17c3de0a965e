import type { Positions } from './edit.ts';
import type { Comparison, ConditionTree, Probe } from './rule.ts';

export const steeringModes = ['add', 'set', 'pin', 'scale', 'ablate', 'floor', 'cap', 'orthogonal'] as const;
export type SteeringMode = (typeof steeringModes)[number];

export const steeringUnits = ['max_activation', 'stream_norm', 'raw'] as const;
export type SteeringUnit = (typeof steeringUnits)[number];

/** Name of the number that each mode takes on the wire; ablate takes none. */
export const modeNumber = {
  add: 'strength',
  set: 'value',
  pin: 'value',
  floor: 'value',
  cap: 'value',
  scale: 'factor',
  orthogonal: 'factor',
  ablate: null,
} as const satisfies Record<SteeringMode, 'strength' | 'value' | 'factor' | null>;

/** What an edit acts on, with ids already looked up: a dictionary's feature or a dense direction. */
export type EditTarget =
  | {
      readonly kind: 'feature';
      /** `model/source/index`, for reports. */
      readonly id: string;
      readonly hookPoint: string;
      /** Null where the encoder cannot be read exactly by one row (TopK): modes that read are refused. */
      readonly encoder: { readonly direction: Float32Array; readonly bias: number; readonly threshold: number } | null;
      readonly decoder: Float32Array;
      /** Raw activation that is 1 in unit `max_activation`; null without statistics. */
      readonly maxActivation: number | null;
      /** Stream norm beyond which a token is a sink; null where unknown. */
      readonly sinkNorm: number | null;
      /** Median stream norm at the hook point; null without statistics. */
      readonly streamNorm: number | null;
    }
  | {
      readonly kind: 'vector';
      /** Name, or `inline`, for reports. */
      readonly id: string;
      readonly hookPoint: string;
      readonly direction: Float32Array;
      readonly streamNorm: number | null;
    };

/** One edit as asked for, before units become raw numbers. */
export interface EditSpecification {
  readonly target: EditTarget;
  readonly mode: SteeringMode;
  /** strength, value or factor; null for ablate. */
  readonly number: number | null;
  /** Null: the target's default. */
  readonly unit: SteeringUnit | null;
  readonly positions: Positions;
  readonly skipSpecial: boolean;
  readonly onlyIfActive: boolean;
  /** Where it stood in the request, for errors: `steering.edits[0]`. */
  readonly param: string;
}

/**
 * What a comparison's number counts. `max_activation`: multiples of a feature's maximum activation; `stream_norm`: multiples of the median
 * norm of the stream; `cosine`: the reading over the norm of the token's own stream; `probability`: the logistic function of a probe's reading.
 */
export const conditionUnits = ['max_activation', 'stream_norm', 'cosine', 'probability', 'raw'] as const;
export type ConditionUnit = (typeof conditionUnits)[number];

/** A comparison with its target looked up and its number in the probe's own units. */
export interface ReadComparison extends Omit<Comparison, 'probe'> {
  readonly probe: Probe;
  /** Id of a feature, name of a vector, or `inline`, for reports. */
  readonly target: string;
  readonly targetKind: 'feature' | 'vector';
  readonly unit: ConditionUnit;
  /** How much of the probe's own units one unit is. */
  readonly scale: number;
}

/** A rule with its targets looked up, before its edits' units become raw numbers. */
export interface RuleSpecification {
  readonly when: ConditionTree<ReadComparison>;
  readonly latch: boolean;
  readonly stop: boolean;
  readonly edits: readonly EditSpecification[];
  /** Where it stood in the request, for errors: `steering.rules[0]`. */
  readonly param: string;
}
