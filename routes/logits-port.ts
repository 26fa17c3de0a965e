import type { Edit, EditReport, PositionContext, PositionLogits, PromptLogits } from '../engine/core/index.ts';

/** A text whose logits are read. */
export interface LogitsText {
  readonly tokenIds: Int32Array;
  readonly positionContext: PositionContext;
  /** What is done to the stream meanwhile. */
  readonly edits: readonly Edit[];
  /** Which positions are read, and what is told of each. */
  readonly logits: PromptLogits;
  readonly signal: AbortSignal;
}

export interface LogitsQuery extends LogitsText {
  /** Places of the stream, canonical spelling, whose values are turned into logits as if they were the last block's. */
  readonly lens: readonly string[];
  /** Directions whose part in the logits is read, as `directions` gave them. */
  readonly directions: readonly WrittenDirection[];
}

/** Logits of one text, at the positions asked for, ascending. */
export interface LogitsReading {
  /** The model's own. */
  readonly positions: readonly PositionLogits[];
  /** One for each place of the lens. */
  readonly lens: readonly { readonly hookPoint: string; readonly positions: readonly PositionLogits[] }[];
  /** One for each direction. */
  readonly directions: readonly DirectionReading[];
  /** What was done, one for each of the edits. */
  readonly edits: readonly EditReport[];
}

/** A direction as a request names it. */
export interface DirectionRequest {
  readonly feature?: string;
  readonly vector?: string | { readonly hookPoint: string; readonly data: Float32Array };
  /** How much of it is written, the same at each position; null: what the stream holds of it there. */
  readonly coefficient: number | null;
  /** Where the request names it: `through[0]`. */
  readonly param: string;
}

/** A direction at a place of the stream, looked up. */
export interface WrittenDirection {
  /** Feature id, `name:version` of a vector, or `inline`. */
  readonly target: string;
  /** Canonical spelling. */
  readonly hookPoint: string;
  /** What a coefficient of 1 writes: a feature's decoder row; a vector's unit direction, or the vector itself where the coefficient is given. */
  readonly direction: Float32Array;
  /** coefficient(x) = x·direction + bias where that exceeds the threshold, else 0; or a number. */
  readonly coefficient:
    | number
    | { readonly direction: Float32Array; readonly bias: number; readonly threshold: number };
}

/** What a direction writes to the logits: at a position, coefficient / scale times what a unit of it writes. */
export interface DirectionReading {
  /** Of one unit of it, through the gain of the final norm and the unembedding, nothing divided: the mean over all tokens, */
  readonly mean: number;
  /** the largest and the smallest, */
  readonly top: readonly TokenEffect[];
  readonly bottom: readonly TokenEffect[];
  /** and those of the chosen tokens, in their order. */
  readonly chosen: readonly TokenEffect[];
  readonly positions: readonly {
    readonly position: number;
    readonly coefficient: number;
    /** What the final norm divides by there. */
    readonly scale: number;
  }[];
}

export interface TokenEffect {
  readonly tokenId: number;
  readonly effect: number;
}

/** A text read twice: what its edits change. */
export interface LogitsComparison {
  readonly steered: readonly PositionLogits[];
  readonly unsteered: readonly PositionLogits[];
  /** KL(steered ‖ unsteered) of the next token at each of these positions, in nats, over the whole vocabulary. */
  readonly divergence: readonly number[];
  readonly edits: readonly EditReport[];
}

/** Logits of a loaded model. All of it throws what `ModelService.submit` throws, and `step_failed` for logits that are not finite. */
export interface LogitsService {
  read(query: LogitsQuery): Promise<LogitsReading>;
  compare(text: LogitsText): Promise<LogitsComparison>;
  /**
   * Looks directions up; a vector of several hook points gives several. Throws feature_not_found, source_not_found, vector_not_found,
   * hook_point_not_found, and edit_not_applicable for what is not written to the stream or whose coefficient cannot be read.
   */
  directions(requests: readonly DirectionRequest[]): readonly WrittenDirection[];
  /** Bytes that the values take that `read` holds of one position, of so many places and directions; `compare` holds two places. */
  bytesPerPosition(places: number): number;
}
