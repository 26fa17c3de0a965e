/** Names of the ports of a decoder graph: the contract between engine/graph and engine/runtime. */
export const ports = {
  /** int64 [B, S] */
  inputIds: 'input_ids',
  /** int32 [B]: tokens in the slot after this step, less one (GroupQueryAttention's seqlens_k). */
  lastPositions: 'last_positions',
  /** int32 scalar: the largest number of tokens in any slot after this step. */
  totalLength: 'total_length',
  /** int64 [R]: which of the B·S tokens logits are wanted for. */
  logitIndices: 'logit_indices',
  /** float32 [R, vocabulary] */
  logits: 'logits',
  /** float32 and int64 [R, topCount], descending */
  topValues: 'top_values',
  topIndices: 'top_indices',
  /** float32 [R] */
  logSumExp: 'log_sum_exp',
  /** float32 [B, key-value heads, context, head]: in place, bound as input and output. */
  pastKey: (block: number) => `past_key.${block}`,
  pastValue: (block: number) => `past_value.${block}`,
  presentKey: (block: number) => `present_key.${block}`,
  presentValue: (block: number) => `present_value.${block}`,
  /** float32 [B, S, d_model]: the stream after the edits at a hook point. */
  tap: (hookPoint: string) => `tap.${hookPoint}`,
} as const;

/** Names of the ports of the edits at one hook point (edit-port.ts). */
export function editPorts(hookPoint: string) {
  return {
    read: `edit.${hookPoint}.read`,
    write: `edit.${hookPoint}.write`,
    parameters: `edit.${hookPoint}.parameters`,
    mask: `edit.${hookPoint}.mask`,
    gate: `edit.${hookPoint}.gate`,
    coefficient: `edit.${hookPoint}.coefficient`,
    readingBefore: `edit.${hookPoint}.reading_before`,
    readingAfter: `edit.${hookPoint}.reading_after`,
    streamNorm: `edit.${hookPoint}.stream_norm`,
  } as const;
}

/** Names of the parts of a weight that is read as four-bit blocks. */
export function fourBitWeights(weight: string) {
  return { quants: `${weight}.quants`, scales: `${weight}.scales`, offsets: `${weight}.offsets` } as const;
}

/** Names of the tables of rotary position embeddings, float32 [context, head / 2]; weights that no checkpoint holds. */
export const rotaryTables = { cosine: 'rotary.cosine', sine: 'rotary.sine' } as const;
