import type { BlockStore } from './block-store.ts';
import type { Edit } from './edit.ts';
import type { EditReading } from './edit-reading.ts';
import type { Encoding, SparseActivations } from './encoder.ts';
import type { UnembeddingKind } from './unembedding.ts';

/** One row's share of a step. */
export interface RowStep {
  /** The request this row works for. */
  readonly requestId: string;
  /** Row of the KV cache. */
  readonly slot: number;
  /** Input tokens of this step; one in a decode step. */
  readonly tokens: Int32Array;
  /** Absolute position of tokens[0]; the number of tokens already in the slot. */
  readonly start: number;
  /**
   * For which of the tokens logits are wanted; `chosen`: for those that `chosen` names. `never`, in a prefill step: nothing but taps and encodings is wanted of this slot, now or
   * later. Blocks after the last hook point opened are then not run, and their keys and values stay unwritten: the slot can only be gone on with by
   * rows that need no more blocks, and the prefix cache gets none of it.
   */
  readonly logits: 'none' | 'last' | 'all' | 'chosen' | 'never';
  /** With logits `chosen`: 1 for tokens whose logits are wanted. [tokens] */
  readonly chosen?: Uint8Array;
  /** Edits with their positions mask over `tokens` (1 = touch). Edits whose mask is all zero may be left out. */
  readonly edits: readonly { readonly edit: Edit; readonly mask: Float32Array }[];
  /** Hook points whose activations are wanted, canonical spelling; empty for none. */
  readonly taps: readonly string[];
  /** Encoders that read its tokens; left out: none. */
  readonly encodings?: readonly Encoding[];
  /** What the values at hook points are replaced by, before they are read there and edited; left out: nothing is. */
  readonly replacements?: readonly Replacement[];
  /**
   * Where the row begins inside the model: no block before this one is run. The slot holds keys and values of the blocks from there on,
   * and what the step leaves in the others is nothing. All rows of a step begin at one block. Left out: with the first.
   */
  readonly entry?: StreamEntry;
}

/** What enters a block. */
export interface StreamEntry {
  /** 1 … number of blocks, which stands for the last norm. */
  readonly block: number;
  /** [tokens, d_model], row major: the stream before it. */
  readonly stream: Float32Array;
}

/** Indices of the tokens of a row that logits are wanted for, ascending. */
export function logitTokens({ logits, tokens, chosen }: RowStep): readonly number[] {
  if (logits === 'all') return Array.from(tokens, (_, t) => t);
  if (logits === 'last') return [tokens.length - 1];
  if (logits !== 'chosen') return [];
  return Array.from(tokens, (_, t) => t).filter((t) => chosen?.[t] === 1);
}

/** Values that stand in for those of a hook point, over the tokens of a row. */
export interface Replacement {
  /** Canonical spelling; where edits can be made. */
  readonly hookPoint: string;
  /** [tokens, width], row major. */
  readonly values: Float32Array;
  /** 1 for tokens whose values are replaced. [tokens] */
  readonly mask: Uint8Array;
}

/**
 * One scheduler decision, executed as one graph run. Prefill: exactly one row, any number of tokens. Decode: one token a
 * row, slots contiguous and in ascending order unless the executor is ragged. Mixed, where it is: rows of any numbers of tokens, none with
 * taps: some decode, others read their prompts.
 */
export interface StepPlan {
  readonly kind: StepKind;
  readonly rows: readonly RowStep[];
}

export type StepKind = 'prefill' | 'decode' | 'mixed';

/** Logits of one position. `full()` is a view into memory that the next step overwrites. */
export interface LogitsRow {
  /** The largest logits, descending, and their token ids. */
  readonly topValues: Float32Array;
  readonly topTokenIds: Int32Array;
  readonly logSumExp: number;
  full(): Float32Array;
}

export interface RowResult {
  readonly requestId: string;
  /** One entry for each position asked for. */
  readonly logits: readonly LogitsRow[];
  /** In the order of RowStep.edits; they look at memory that the next step overwrites. */
  readonly readings: readonly EditReading[];
  /**
   * Tap name → [tokens, width of the hook point], row major; copies. What is as wide as there are keys comes as TransformerLens has it,
   * [heads, tokens, keys], keys being all of the row up to its last token; scores are −∞ where a token does not see a key.
   */
  readonly taps: ReadonlyMap<string, Float32Array>;
  /** What its encoders found, in the order of RowStep.encodings; copies. Left out where there are none. */
  readonly activations?: readonly SparseActivations[];
}

/** What steps to come open, hook points in canonical spelling. */
export interface PreparedSites {
  readonly edits: readonly string[];
  readonly taps: readonly string[];
  /** Left out: none. */
  readonly encodings?: readonly Encoding[];
  /** Hook points whose values are replaced; left out: none. */
  readonly replaced?: readonly string[];
  /** Their rows want logits `never`. */
  readonly tapsOnly?: boolean;
  /** Their rows begin at this block (`RowStep.entry`); left out: with the first. */
  readonly startsAt?: number;
}

/** What runs steps. The only boundary behind which ONNX Runtime lives; tests inject scripted ones. */
export interface Executor {
  /** Most rows at once. Their cache has one slot more, numbered 0 … slots, so that a row can always be moved. */
  readonly slots: number;
  /** Tokens that one slot can hold. */
  readonly context: number;
  /** Most tokens of a prompt that one step takes. */
  readonly maxChunk: number;
  /** Whether rows of a step may lie in any slots, and rows that decode and a prompt can share one. */
  readonly ragged: boolean;
  /** Builds what the hook points need, off the event loop, so that `run` does not have to. */
  prepare(sites: PreparedSites): Promise<void>;
  run(plan: StepPlan): Promise<readonly RowResult[]>;
  /**
   * Turns up to `mostUnembedded` vectors [rows, width of the stream] into logits, between two steps. `read` is given a row for each;
   * what they look at is overwritten once it has settled.
   */
  unembed<Result>(
    kind: UnembeddingKind,
    vectors: Float32Array,
    read: (rows: readonly LogitsRow[]) => Result | Promise<Result>,
  ): Promise<Result>;
  /** Bytes of one token in the KV cache, over all blocks. */
  readonly tokenBytes: number;
  /** Copies the first `tokens` positions of a slot's cache to another slot, in pieces that let the event loop turn. */
  copySlot(from: number, to: number, tokens: number): Promise<void>;
  /** The slot's content is not needed any more: its memory may go back. */
  freeSlot(slot: number): void;
  /** Copies of pieces of slots, for the prefix cache. */
  readonly blocks: BlockStore;
  /** Graph runs and variants so far, for metrics. */
  statistics(): ExecutorStatistics;
  close(): Promise<void>;
}

export interface ExecutorStatistics {
  readonly runs: number;
  readonly variantsBuilt: number;
  readonly variantsCached: number;
  /** Variants evicted to make room; steps that ran a wider variant while theirs was being built; time spent on builds. */
  readonly variantsEvicted: number;
  readonly variantFallbackSteps: number;
  readonly variantBuildMilliseconds: number;
}
