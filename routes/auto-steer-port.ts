/** The port of looking for a steering by a plain description of what is wanted. */
import type { ContrastAuroc } from './contrast-port.ts';
import type {
  DoseEvaluation,
  DosePoint,
  EvaluationSampling,
  FluencyLimits,
  SteeredText,
  TextTarget,
} from './evaluation-port.ts';
import type { EditRequest, VectorVersion } from './services.ts';

/** A reply as it is wanted and one as it is not, to the same prompt. */
export interface ReplyPair {
  readonly prompt: string;
  readonly positive: string;
  readonly negative: string;
}

export interface AutoSteerRequest {
  /** What the replies should be like: `talk like a pirate`. */
  readonly specification: string;
  /** Null: the model writes them, asked as `specification` says and not asked. */
  readonly pairs: readonly ReplyPair[] | null;
  /** What it is asked for them; null: some everyday questions. */
  readonly questions: readonly string[] | null;
  /** What the found steering is tried on; null: other everyday questions. */
  readonly prompts: readonly string[] | null;
  readonly seeds: readonly number[];
  readonly sampling: EvaluationSampling;
  /** Says by words whether it worked, beside the direction that was found. */
  readonly words: readonly string[] | null;
  readonly limits: FluencyLimits;
  /** How many features are tried beside the vector. */
  readonly features: number;
  /** Tried of the vector (median stream norms, or lengths of its own where those are not known) and of features (maximal activations). */
  readonly vectorStrengths: readonly number[];
  readonly featureStrengths: readonly number[];
  readonly saveAs: { readonly name: string; readonly description: string } | null;
  readonly signal: AbortSignal;
}

/** One thing to steer by. */
export interface AutoSteerCandidate {
  readonly kind: 'vector' | 'feature';
  /** `name:version`, a feature's id, or `contrast` for the vector that is not saved. */
  readonly name: string;
  readonly label: string | null;
  /** Held-out AUROC of telling the two kinds of reply apart by reading it. Null for a feature that was found by its decoder row. */
  readonly inputScore: number | null;
  /** How much likelier, in nats a token, it makes the wanted replies against the others. */
  readonly outputScore: number;
  /** Null for one that was not tried: others have a better output score. */
  readonly evaluation: DoseEvaluation | null;
}

export interface AutoSteer {
  readonly targets: readonly TextTarget[];
  /** Who wrote the replies, how many there are, and the first of them. */
  readonly pairs: { readonly by: 'model' | 'request'; readonly count: number; readonly examples: readonly ReplyPair[] };
  readonly contrast: {
    readonly hookPoint: string;
    readonly heldOut: ContrastAuroc;
    readonly bagOfWords: ContrastAuroc;
    readonly saved: VectorVersion | null;
  };
  /** Best output score first. */
  readonly candidates: readonly AutoSteerCandidate[];
  /** The same prompts answered with a system prompt that asks for it, and no steering. */
  readonly prompted: DosePoint & { readonly samples: readonly SteeredText[] };
  /** What to steer by; null: nothing worked. */
  readonly chosen: {
    readonly candidate: string;
    readonly strength: number;
    /** In the wire form of `steering.edits`. */
    readonly edits: readonly unknown[];
    readonly dose: DosePoint;
  } | null;
  /** What came of it, in a sentence or two. */
  readonly verdict: string;
}

export interface AutoConditionalRequest {
  /** User messages that the edits are for, and others. */
  readonly positive: readonly string[];
  readonly negative: readonly string[];
  /** What is done where the condition holds. */
  readonly edits: readonly EditRequest[];
  /** Null: the stream in the middle half of the blocks. */
  readonly hookPoints: readonly string[] | null;
  readonly saveAs: { readonly name: string; readonly description: string } | null;
  readonly signal: AbortSignal;
}

export interface AutoConditional {
  /** In the wire form of an item of `steering.rules`. */
  readonly rule: { readonly when: unknown; readonly do: readonly unknown[] };
  readonly contrast: AutoSteer['contrast'];
  /** The rule run on examples that nothing was learned from. */
  readonly measured: {
    readonly positive: number;
    readonly negative: number;
    readonly hits: number;
    readonly falseAlarms: number;
  };
  readonly works: boolean;
  readonly verdict: string;
}

/** Looking for steerings over one loaded model. */
export interface AutoSteerService {
  /** Throws `unsupported` without a chat template, `invalid_request` for replies that nothing tells apart, and what contrast and evaluation throw. */
  find(request: AutoSteerRequest): Promise<AutoSteer>;
  /** A rule from examples of prompts. Throws as `find`, and what `resolveSteering` throws of the edits. */
  findCondition(request: AutoConditionalRequest): Promise<AutoConditional>;
}
