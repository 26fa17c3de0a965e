import type { Positions } from './edit.ts';

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
