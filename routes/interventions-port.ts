import type { FinishReason, PositionLogits } from '../engine/core/index.ts';

/** Which activations of a clean prompt are put into runs of a corrupted one, one hook point and position a run. */
export interface ActivationPatchingRequest {
  /** As many tokens each. */
  readonly clean: Int32Array;
  readonly corrupted: Int32Array;
  /** Canonical spelling, each of which can be edited. */
  readonly hookPoints: readonly string[];
  readonly positions: readonly number[];
  /** Tokens whose logits are told. */
  readonly tokens: Int32Array;
  readonly signal: AbortSignal;
}

/** Logits of the request's tokens after its prompts. */
export interface ActivationPatching {
  readonly clean: Float32Array;
  readonly corrupted: Float32Array;
  /** [hook points, positions, tokens] */
  readonly patched: Float32Array;
  readonly runs: number;
}

interface InterventionPlace {
  /** Where it stands in the request, for errors: `interventions[2]`. */
  readonly param: string;
  /** 1 for prompt tokens that it is made at. */
  readonly mask: Uint8Array;
}

/** One change to a run, at one hook point (canonical spelling). */
export type Intervention =
  /** Given values stand in: [prompt tokens, width], and what stands in at every position after the prompt; null: nothing there. */
  | ({
      readonly kind: 'values';
      readonly hookPoint: string;
      readonly values: Float32Array;
      readonly generated: Float32Array | null;
    } & InterventionPlace)
  /** Another run's values at the same hook point: at the mask's n-th position those of `positions[n]`. */
  | ({
      readonly kind: 'run';
      readonly hookPoint: string;
      readonly tokenIds: Int32Array;
      readonly positions: readonly number[];
    } & InterventionPlace)
  /** The mean over the tokens of sequences, but for each one's first, or of the prompt itself (null); `generated`: after the prompt, too. */
  | ({
      readonly kind: 'mean';
      readonly hookPoint: string;
      readonly over: readonly Int32Array[] | null;
      readonly generated: boolean;
    } & InterventionPlace)
  /** A source's reconstruction of what it describes; with the error term what it leaves out is added again. */
  | ({ readonly kind: 'splice'; readonly source: string; readonly errorTerm: boolean } & InterventionPlace);

export interface InterventionRequest {
  readonly tokenIds: Int32Array;
  readonly interventions: readonly Intervention[];
  /** Tokens whose logits after the prompt are told besides the largest. */
  readonly tokens: Int32Array;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

/** What a run came to. */
export interface InterventionRun {
  readonly logits: PositionLogits;
  readonly text: string;
  readonly completionTokens: number;
  /** Null where nothing was to be generated. */
  readonly finishReason: FinishReason | null;
}

/** What was done for an intervention, in the order of the request. */
export interface AppliedIntervention {
  readonly hookPoint: string;
  /** Prompt tokens whose values were replaced. */
  readonly positions: readonly number[];
  /** Named, and left alone as attention sinks, of which a dictionary says nothing. */
  readonly sinkPositions: readonly number[];
  readonly generated: boolean;
  /** Mean of ‖replacement − value‖ over ‖value‖ over those tokens, the run's own value being what it was without this intervention. */
  readonly relativeChange: number | null;
}

export interface InterventionResult {
  readonly baseline: InterventionRun;
  readonly intervened: InterventionRun;
  readonly applied: readonly AppliedIntervention[];
}

/** Runs of a model that are changed inside. */
export interface InterventionService {
  /**
   * Throws invalid_request for prompts of unequal length, and before any work for more runs, or more tokens to compute, than one request
   * may ask for; queue_full where others wait already; and what `ModelService.submit` throws.
   */
  patchActivations(request: ActivationPatchingRequest): Promise<ActivationPatching>;
  /**
   * Runs a prompt as it is and with interventions, made in the model's order. Throws edits_conflict for two at one place,
   * source_not_found, unsupported for a dictionary that is too dense to splice, and what `ModelService.submit` throws.
   */
  intervene(request: InterventionRequest): Promise<InterventionResult>;
}
