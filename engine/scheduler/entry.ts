import type { SlotContent } from '../core/kept-run.ts';
import type { SharedSequence } from '../core/prefix-sharing.ts';
import type { WaitingTurn } from './policy.ts';

/** What the scheduler is told of a request. */
export interface IncomingRequest {
  readonly requestId: string;
  readonly promptLength: number;
  readonly maxTokens: number;
  /** False while the graph variant that the request needs is still being built. */
  readonly ready: boolean;
  /**
   * Requests with one key read the same prompt, steered alike: the later ones wait while the first reads it, and find it in
   * the prefix cache then. Null or left out: waits for nobody.
   */
  readonly promptKey?: string | null;
  /** For prefix sharing. */
  readonly sequence?: SharedSequence | null;
  /** Its steps give out or take in more than logits and edits (core/step.ts), and no prompt shares them. */
  readonly apart?: boolean;
  /** Its steps are its group's alone: no others can share them, and rows that decode cannot either. Null or left out: it has none. */
  readonly group?: string | null;
  /** Where its slot comes from, or goes, besides the prefix cache. */
  readonly content?: SlotContent | null;
}

/** A request inside, whether it waits or holds a row. */
export interface Entry extends WaitingTurn {
  readonly requestId: string;
  readonly promptLength: number;
  readonly maxTokens: number;
  readonly promptKey: string | null;
  readonly sequence: SharedSequence | null;
  readonly apart: boolean;
  readonly group: string | null;
  readonly content: SlotContent | null;
  /** Order of coming; kept when the request is preempted. */
  readonly arrival: number;
  ready: boolean;
  turn: number;
  /** Tokens read since its turn came. */
  turnTokens: number;
  /** Tokens to have in the slot before it decodes: the prompt, and after a preemption the reply so far. */
  target: number;
  /** Tokens in the slot: the position of the next input token. */
  tokens: number;
  /** −1 while it waits. */
  slot: number;
  overtakes: number;
  overtakenSince: number | null;
  /** Cancelled, failed or finished; its slot is given back when no step runs. */
  leaving: boolean;
  /** Its slot holds verified tokens that the prefix cache has not been offered. */
  toKeep: boolean;
}

export function entryOf(request: IncomingRequest, arrival: number): Entry {
  const { requestId, promptLength, maxTokens, ready } = request;
  return {
    requestId,
    promptLength,
    maxTokens,
    ready,
    promptKey: request.promptKey ?? null,
    sequence: request.sequence ?? null,
    apart: request.apart ?? false,
    group: request.group ?? null,
    content: request.content ?? null,
    arrival,
    turn: arrival,
    turnTokens: 0,
    target: promptLength,
    tokens: 0,
    slot: -1,
    overtakes: 0,
    overtakenSince: null,
    leaving: false,
    toKeep: false,
  };
}
