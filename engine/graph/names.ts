import type { OperatorSet } from '../core/index.ts';
import { type EditParameter, editParameterNames } from '../steering/index.ts';

/** What keys and values are kept as; half precision needs Tiller's own operators. */
export type KeyValueType = 'float32' | 'float16';

/** How everything but the linear layers is computed. */
export interface GraphOptions {
  readonly operators: OperatorSet;
  readonly keyValueType: KeyValueType;
}

/** The dimension of taps that show keys: as many as `key_count` says. */
export const keyDimension = 'K';

/** Names of the ports of a decoder graph: the contract between engine/graph and engine/runtime. */
export const ports = {
  /** int64 [B, S] */
  inputIds: 'input_ids',
  /** float32 [B, S, d_model]: what enters the first block run; only of a graph that starts at a block. */
  stream: 'stream',
  /** int32 [B]: tokens in the slot after this step, less one (GroupQueryAttention's seqlens_k). */
  lastPositions: 'last_positions',
  /** int32 [B]: the row's slot among the cache's; only of Tiller's own attention. Rows of one token may share one. */
  slots: 'slots',
  /** int32 scalar: the largest number of tokens in any slot after this step. */
  totalLength: 'total_length',
  /** int64 [1]: how many keys of each row the taps that show keys look at, K; only where there are any. */
  keyCount: 'key_count',
  /** int64 [R]: which of the B·S tokens logits are wanted for. */
  logitIndices: 'logit_indices',
  /** float32 [R, width]: what a graph of the unembedding alone reads. */
  vectors: 'vectors',
  /** float32 [R, vocabulary] */
  logits: 'logits',
  /** float32 and int64 [R, topCount], descending */
  topValues: 'top_values',
  topIndices: 'top_indices',
  /** float32 [R] */
  logSumExp: 'log_sum_exp',
  /** [B, key-value heads, context, head] ([N, …] where there are `slots`): in place; bound as input, and as output where the operator wants that. */
  pastKey: (block: number) => `past_key.${block}`,
  pastValue: (block: number) => `past_value.${block}`,
  presentKey: (block: number) => `present_key.${block}`,
  presentValue: (block: number) => `present_value.${block}`,
  /** float32 [B, S, width], after the edits there; [B, heads, S, K] of what is as wide as there are keys. */
  tap: (hookPoint: string) => `tap.${hookPoint}`,
  /** float32 [B, S, width] and bool [B, S, 1]: what stands in for the values there, and where. */
  replacement: (hookPoint: string) => `replacement.${hookPoint}`,
  replacementMask: (hookPoint: string) => `replacement_mask.${hookPoint}`,
} as const;

/** Names of the ports of the edits at one hook point (edit-port.ts), and of the dimensions that differ from step to step. */
export function editPorts(hookPoint: string) {
  const at = (name: string) => `edit.${hookPoint}.${name}`;
  return {
    read: at('read'),
    write: at('write'),
    parameters: Object.fromEntries(editParameterNames.map((name) => [name, at(name)])) as Readonly<
      Record<EditParameter, string>
    >,
    mask: at('mask'),
    gate: at('gate'),
    coefficient: at('coefficient'),
    readingBefore: at('reading_before'),
    readingAfter: at('reading_after'),
    streamNorm: at('stream_norm'),
    sizes: { groups: `groups.${hookPoint}`, width: `edits.${hookPoint}` },
  } as const;
}

/** Names of the arrays of a linear layer that is stored in a form of its own (checkpoint/stored-linears.ts). */
export function linearArrays(group: string) {
  return {
    values: `${group}.values`,
    quants: `${group}.quants`,
    tiles: `${group}.tiles`,
    scales: `${group}.scales`,
    offsets: `${group}.offsets`,
    minima: `${group}.minima`,
  } as const;
}

/** Names of the tables of a rotary embedding of the configuration, float32 [context, rotated dimensions / 2]; weights that no checkpoint holds. */
export function rotaryTables(index: number) {
  const at = index === 0 ? 'rotary' : `rotary.${index}`;
  return { cosine: `${at}.cosine`, sine: `${at}.sine` } as const;
}
