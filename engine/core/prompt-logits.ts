/** What a request wants told of the next-token logits at positions of its prompt. What is read of a row of logits is copied, the row itself never. */
export interface PromptLogits {
  /** 1 for positions whose logits are wanted. [prompt] */
  readonly mask: Uint8Array;
  /** How many of the largest are told, 0–`mostTopLogits`; fewer where there are fewer tokens. */
  readonly top: number;
  /** Tokens whose logits are told at each of the positions, `mostChosenTokens` at most. */
  readonly tokenIds: Int32Array;
}

/** Logits at one position of a prompt. logprob of any of them = logit − logSumExp. */
export interface PositionLogits {
  readonly position: number;
  /** Over the whole vocabulary. */
  readonly logSumExp: number;
  /** The largest, descending. [top] */
  readonly topTokenIds: Int32Array;
  readonly topValues: Float32Array;
  /** Of the request's `tokenIds`, in their order. */
  readonly values: Float32Array;
  /** Logit of the prompt's token at `position` + 1, and how many tokens are likelier; null at the last position. */
  readonly next: { readonly logit: number; readonly rank: number } | null;
}

/** As many as a graph finds itself (engine/graph/logits.ts `topCount`). */
export const mostTopLogits = 256;
export const mostChosenTokens = 1024;

/** Wants the logits after a prompt: the largest that there are, and those of these tokens. */
export function logitsAfter(promptLength: number, tokenIds: Int32Array): PromptLogits {
  const mask = new Uint8Array(promptLength);
  mask[promptLength - 1] = 1;
  return { mask, top: mostTopLogits, tokenIds };
}
