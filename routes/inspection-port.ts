/** The port of inspection: what features do on a prompt and on the reply to it. */
import type { GenerateRequest, GenerationEvent } from '../engine/core/index.ts';
import type { FeatureSummary } from './feature-port.ts';

/** Tokens that are inspected: of the prompt, of the reply (but its last, which is never read), or of both. */
export const inspectedParts = ['prompt', 'generated', 'both'] as const;
export type InspectedPart = (typeof inspectedParts)[number];

/** By what features of a text are ranked. */
export const inspectionRankings = ['max', 'mean', 'sum', 'count', 'last', 'frequency'] as const;
export type InspectionRanking = (typeof inspectionRankings)[number];

export interface InspectionRequest {
  /** Names or ids; null: all of the model's. */
  readonly sources: readonly string[] | null;
  /** Ids of the features that are wanted, of one or several sources, in place of `sources`; null: all features. */
  readonly features: readonly string[] | null;
  readonly part: InspectedPart;
  /** Whether attention sinks (a text's first token, and tokens beyond a source's `sink_norm`) count like other tokens. */
  readonly includeSinks: boolean;
  /** Features told of each token, strongest first. */
  readonly perToken: number;
  /** Features told of each text; chosen features are all told. */
  readonly perText: number;
  readonly rankBy: InspectionRanking;
}

/** A source that an inspection reads. */
export interface InspectedSource {
  readonly id: string;
  readonly hookPoint: string;
  /** Features it has. */
  readonly features: number;
  /** Those that are wanted; null: all. */
  readonly chosen: readonly number[] | null;
  /** Most features that can be told of a token. */
  readonly perToken: number;
  readonly perText: number;
}

/** What one source says of some tokens. */
export interface InspectedTokens {
  /** Whether each counts. */
  readonly counted: readonly boolean[];
  /** Features of token t, strongest first, lie from `offsets[t]` to `offsets[t + 1]`; none of tokens that do not count. [tokens + 1] */
  readonly offsets: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array;
}

/** What one feature did over the tokens that count. */
export interface InspectedFeature extends FeatureSummary {
  readonly max: number;
  readonly mean: number;
  readonly sum: number;
  readonly count: number;
  /** On the last token that counts. */
  readonly last: number;
  /** Share of the tokens on which it is active. */
  readonly frequency: number;
  /** Of its maximum; null where it is silent. */
  readonly position: number | null;
}

/** What one source says of a whole text. */
export interface InspectedText {
  /** Positions of attention sinks that do not count. */
  readonly ignored: readonly number[];
  /** Positions where more features fire than are looked at. */
  readonly truncated: readonly number[];
  /** Tokens that count. */
  readonly tokens: number;
  /** Best first. */
  readonly features: readonly InspectedFeature[];
}

/** What an inspected request tells: its own events but those of its readings, and what the sources say. */
export type InspectionEvent =
  | Exclude<GenerationEvent, { readonly type: 'activations' }>
  | {
      /** Of tokens from position `start` on, each inspected token once, in order. */
      readonly type: 'features';
      readonly start: number;
      /** In the order of the sources. */
      readonly sources: readonly InspectedTokens[];
    }
  | { /** The last event. */ readonly type: 'summary'; readonly sources: readonly InspectedText[] };

/** Sources and features that have been looked up. */
export interface Inspection {
  readonly sources: readonly InspectedSource[];
  /** Runs a request with the sources reading along. Throws what `ModelService.submit` throws. */
  run(request: GenerateRequest): AsyncIterable<InspectionEvent>;
}

export interface InspectionService {
  /** Throws `source_not_found`, `feature_not_found`, `source_invalid` with the field at fault, `invalid_request` for too many sources. */
  inspection(request: InspectionRequest): Inspection;
}
