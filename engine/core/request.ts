import type { Edit, PositionContext } from './edit.ts';
import type { Encoding, SparseActivations } from './encoder.ts';
import type { RuleSet } from './rule.ts';
import type { Replacement } from './step.ts';

/** How the next token is chosen. Neutral values switch a rule off. */
export interface SamplingParameters {
  /** 0 = greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 = off. */
  readonly topK: number;
  readonly minP: number;
  /** > 1 makes seen tokens (prompt and generated) less likely; 1 = off. Keskar et al. 2019, as in transformers. */
  readonly repetitionPenalty: number;
  /** OpenAI's penalties, over generated tokens only. */
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** Added to logits, by token id. */
  readonly logitBias: ReadonlyMap<number, number>;
  readonly seed: number;
}

export interface StopRules {
  readonly maxTokens: number;
  /** End-of-sequence and stop tokens cannot be chosen before this many tokens. */
  readonly minTokens: number;
  readonly strings: readonly string[];
  readonly tokenIds: readonly number[];
  /** Keep going past the model's own end tokens. */
  readonly ignoreEos: boolean;
  /** Keep the matched stop string in the text (vLLM's include_stop_str_in_output). */
  readonly includeStopString: boolean;
}

/** One sequence to generate. n choices are n requests. */
export interface GenerateRequest {
  readonly id: string;
  readonly promptTokenIds: Int32Array;
  readonly sampling: SamplingParameters;
  readonly stop: StopRules;
  /** How many alternatives to report for each generated token; null = no log-probabilities at all. 0–20. */
  readonly logprobs: number | null;
  /** The same for prompt tokens (the first has none). */
  readonly promptLogprobs: number | null;
  /** Those that always hold. */
  readonly edits: readonly Edit[];
  /**
   * Edits that hold while a condition does, and what ends the reply. What their conditions read of the prompt is not taken from
   * the prefix cache. Left out: none.
   */
  readonly rules?: RuleSet;
  readonly positionContext: PositionContext;
  /**
   * Encoders that read every input token of the request, those of its reply too (all but the reply's last, which is never read). Such
   * a request takes nothing from the prefix cache and leaves nothing there. Left out: none.
   */
  readonly encodings?: readonly Encoding[];
  /** Hook points whose values are wanted of every input token, told with the activations; treated as encodings are. Left out: none. */
  readonly taps?: readonly string[];
  /** What values at hook points are replaced by, over the whole prompt; of a request that generates nothing. Left out: nothing is. */
  readonly replacements?: readonly Replacement[];
  /** Milliseconds since the epoch after which the request is given up. */
  readonly deadline: number | null;
  readonly signal: AbortSignal | null;
}

export interface TokenLogprob {
  readonly tokenId: number;
  readonly logprob: number;
  /** Most likely first. */
  readonly top: readonly { readonly tokenId: number; readonly logprob: number }[];
}

/** `rule`: a rule that stops (core/rule.ts). */
export type FinishReason = 'stop' | 'length' | 'rule';

/**
 * What a request tells its caller, in this order: prompt once, token any number of times, finish once; and activations as they are
 * read, each input token's once, in order, before the event that is about its end. The token that ends
 * a reply (the model's own end, a stop token) is told and counted like any other; its text is '' unless it is a stop token
 * and `includeStopString` asks for it. The text of a reply is the texts of all events together.
 */
export type GenerationEvent =
  | {
      readonly type: 'prompt';
      /** For each prompt token; the first is null. Null when not asked for. */
      readonly logprobs: readonly (TokenLogprob | null)[] | null;
      readonly queueMilliseconds: number;
      /** Prompt tokens that were taken from the prefix cache. */
      readonly cachedTokens: number;
    }
  | {
      /** What the request's encoders found on tokens from position `start` on, in the order of its encodings. */
      readonly type: 'activations';
      readonly start: number;
      readonly activations: readonly SparseActivations[];
      /** Tap name → [tokens, width], of the request's taps. */
      readonly taps: ReadonlyMap<string, Float32Array>;
    }
  | {
      readonly type: 'token';
      readonly tokenId: number;
      /** Text that has become certain; '' while half a character or a possible stop string is held back. */
      readonly text: string;
      readonly logprob: TokenLogprob | null;
    }
  | {
      readonly type: 'finish';
      readonly reason: FinishReason;
      /** The stop string or token id that ended it, or where the rule stood that did; null for the model's own end or for length. */
      readonly stopReason: string | number | null;
      /** Text held back until now. */
      readonly text: string;
      readonly promptTokens: number;
      readonly completionTokens: number;
      /** One entry for each of the request's edits; what was really done. */
      readonly edits: readonly EditReport[];
      /** One entry for each of the request's rules; left out where it has none. */
      readonly rules?: readonly RuleReport[];
    };

/** What one edit did over a whole request. Raw units. */
export interface EditReport {
  /** Tokens written to. */
  readonly tokens: number;
  /** Tokens that positions named but that were left alone as attention sinks. */
  readonly sinkTokens: number;
  readonly coefficient: { readonly min: number; readonly max: number } | null;
  /** Mean of ‖Δ‖/‖x‖ over the tokens written to. */
  readonly relativeDose: number | null;
  /** a before and after, over the tokens written to; null for an edit that reads nothing. */
  readonly readBefore: { readonly min: number; readonly max: number; readonly mean: number } | null;
  readonly readAfter: { readonly min: number; readonly max: number; readonly mean: number } | null;
}

/** What one rule did over a whole request. */
export interface RuleReport {
  /** Tokens of which its condition read anything. */
  readonly tokensRead: number;
  /** Input position through which its condition first held; null: it never did. */
  readonly firstFired: number | null;
  /** Verdicts that were true; at most one of a rule that latches or reads the prompt alone. */
  readonly timesFired: number;
  /** It held to the end of the reply because it had held once. */
  readonly latched: boolean;
  /** It ended the reply. */
  readonly stopped: boolean;
  /** What each of its comparisons compared, in their order in the condition; null: nothing. Raw units, or cosines. */
  readonly values: readonly ({ readonly min: number; readonly max: number; readonly mean: number } | null)[];
  /** One entry for each of its edits. */
  readonly edits: readonly EditReport[];
}
