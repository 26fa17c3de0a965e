/** The port of measuring what steering does: texts generated with and without it, and scored. */
import type { Edit, FinishReason, PositionContext } from '../engine/core/index.ts';
import type { EditRequest, SteeringBlock } from './services.ts';

/** A prompt that is to be answered. */
export interface EvaluationPrompt {
  readonly tokenIds: Int32Array;
  /** What its text is read behind, for figures and targets; left out: itself. */
  readonly readBehind?: Int32Array;
  /** Where its edits apply. */
  readonly positions: (edits: readonly Edit[]) => PositionContext;
  /** Where it stood in the request. */
  readonly param: string;
}

/** How each text is generated; the seed is each run's own. */
export interface EvaluationSampling {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
}

/** What a text is scored by: always of the text alone, as the model without any steering reads it (`continuations` aside). */
export type TextTarget =
  /** Mean over the generated tokens of x·d with d of unit length, at the direction's hook point; of a feature its mean activation. */
  | {
      readonly kind: 'probe';
      readonly name: string;
      readonly feature?: string;
      /** A saved vector's name, or the direction itself. */
      readonly vector?: EditRequest['vector'];
      /** Which of a saved vector's hook points; null: it has one. */
      readonly hookPoint: string | null;
      readonly param: string;
    }
  /** Log-probability that the steered reply begins with one of these texts: exact, whatever was sampled. */
  | {
      readonly kind: 'continuations';
      readonly name: string;
      readonly continuations: readonly string[];
      readonly param: string;
    }
  /** 1 where the text says one of the words, else 0. */
  | { readonly kind: 'words'; readonly name: string; readonly words: readonly string[] };

/** One generated text, scored. */
export interface SteeredText {
  /** Index of its prompt. */
  readonly prompt: number;
  readonly seed: number;
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly tokens: number;
  /** Of the text under the model without any steering; null for no token. */
  readonly perplexity: number | null;
  readonly distinctTrigrams: number | null;
  readonly longestRepeat: number;
  readonly repeatedShare: number;
  readonly relativeDose: number | null;
  /** In the order of the targets. */
  readonly scores: readonly (number | null)[];
  /** What was done, and all that is needed to repeat it. */
  readonly steering: SteeringBlock;
}

/** What every request for steered texts has. */
interface TextRequest {
  readonly prompts: readonly EvaluationPrompt[];
  readonly seeds: readonly number[];
  readonly sampling: EvaluationSampling;
  readonly targets: readonly TextTarget[];
  readonly signal: AbortSignal | null;
}

/** Edits whose numbers are multiplied by each strength. */
export interface DoseRequest extends TextRequest {
  readonly edits: readonly EditRequest[];
  readonly strengths: readonly number[];
  readonly limits: FluencyLimits;
  /** How many times the strongest fluent strength is looked for half way to the next one. */
  readonly refine: number;
}

export interface FluencyLimits {
  /** Perplexity: at most so many times the control's. */
  readonly perplexityRatio: number;
  /** Share of different trigrams: at least so many times the control's. */
  readonly distinctRatio: number;
  /** Share of a text that lies in its longest repeat: at most so much more than the control's. */
  readonly repeatedShare: number;
}

interface TextFigures {
  readonly texts: number;
  readonly tokens: number;
  readonly perplexity: number | null;
  readonly distinctTrigrams: number | null;
  readonly longestRepeat: number;
  readonly repeatedShare: number;
  readonly relativeDose: number | null;
}

interface Spread {
  readonly mean: number | null;
  readonly deviation: number | null;
  readonly count: number;
}

export interface TargetEffect extends Spread {
  readonly change: number | null;
  readonly standardError: number | null;
  readonly changeInDeviations: number | null;
}

export interface DosePoint extends TextFigures {
  readonly strength: number;
  readonly perplexityRatio: number | null;
  readonly effects: readonly TargetEffect[];
  readonly fluent: boolean;
  readonly broken: readonly string[];
}

/** What strengths did, against the unsteered texts of the same run. */
export interface DoseEvaluation {
  readonly control: TextFigures & { readonly targets: readonly Spread[]; readonly samples: readonly SteeredText[] };
  /** By strength, the smallest first. */
  readonly doses: readonly (DosePoint & { readonly samples: readonly SteeredText[] })[];
  /** The greatest strength that is fluent and so is every weaker one of its sign; null: none is. */
  readonly strongestFluent: number | null;
  /** The fluent strength that moves the first target upwards most; null: none does. */
  readonly best: number | null;
}

/** One steering of a sweep: its edits' numbers are multiplied by each strength. */
export interface SweptSteering {
  readonly name: string;
  readonly edits: readonly EditRequest[];
}

/** Every steering × strength × prompt × seed. */
export interface SweepRequest extends TextRequest {
  readonly steerings: readonly SweptSteering[];
  readonly strengths: readonly number[];
  /** Whether every prompt and seed is answered without steering too. */
  readonly control: boolean;
  /** Keys of rows that are there already: they are left out. */
  readonly done?: ReadonlySet<string>;
}

/** One run of a sweep. */
export interface SweepRow extends SteeredText {
  /** Says which of the request's runs it is: the same in a repeated request. */
  readonly key: string;
  /** Null: the unsteered control. */
  readonly steered: { readonly name: string; readonly strength: number } | null;
  /** In the wire form of `steering.edits`, numbers multiplied, vectors with their versions: with prompt and seed it gives the text again. */
  readonly edits: readonly unknown[];
}

/** A sweep that was accepted. */
export interface Sweep {
  readonly estimate: { readonly texts: number; readonly tokens: number };
  /** In the order of their keys' runs, each as soon as it and those before it are there. Throws what `submit` throws. */
  readonly rows: AsyncIterable<SweepRow>;
}

/** Measuring over one loaded model. */
export interface EvaluationService {
  /**
   * Generates with and without the edits at every strength, in batches beside what else is served, and scores the texts. Throws
   * `invalid_request` before the work for more runs than the limit, what `resolveSteering` and `submit` throw, and
   * `edit_not_applicable` for a target that cannot be read exactly.
   */
  doseResponse(request: DoseRequest): Promise<DoseEvaluation>;
  /** The same texts one by one, without a summary. Throws as `doseResponse` does before the work; nothing runs until rows are read. */
  sweep(request: SweepRequest): Sweep;
}
