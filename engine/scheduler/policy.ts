/**
 * Who computes next and how much, as pure functions over plain values: no queue, no model, no clock.
 *
 * The policy: prompts take turns in the order they came, a turn being `turnTokens` tokens long, so that a short prompt
 * waits for one turn of a long one at most. While rows decode, prompts are read in chunks that are predicted to take about
 * as long as a decode step: in the same step, where the executor can do that, else the two kinds of step alternate. Memory goes to whoever came first: who came last gives
 * way, and a request that smaller ones have overtaken often or long enough is waited for.
 */
import type { StepKind } from '../core/step.ts';

/** Tokens that a prompt reads before another one that waits has its turn. */
export const turnTokens = 512;
/** A waiting request that lacks memory is overtaken by smaller ones so often, or for so many milliseconds, and no more. */
export const mostOvertakes = 8;
export const longestOvertaking = 2000;
/** Tokens by which each row that decodes may grow before a new prompt's memory is counted as free. */
export const defaultGrowthTokens = 16;
/** A chunk of a prompt is not made shorter than this for the sake of rows that decode; where it shares their step, that much less is lost by it. */
export const smallestChunk = 16;
export const smallestMixedChunk = 8;
/** Chunks are multiples of this: shapes of steps are kept bound. */
export const chunkUnit = 8;
/** Milliseconds that a chunk may take however fast decode steps are. */
export const shortestChunkMilliseconds = 25;
/**
 * A chunk may take so many times what the decode step beside it takes: while somebody's prompt is read, the others' tokens come at
 * intervals 1.8 times as long, or as long as the smallest chunk makes them. Less would make long prompts wait for many more decode steps.
 */
export const defaultPrefillRatio = 0.8;

/** A request with tokens to read before it decodes. */
export interface PromptTurn {
  readonly requestId: string;
  /** Place in the round: the lowest reads next. */
  readonly turn: number;
}

/** One that has no row yet. */
export interface WaitingTurn extends PromptTurn {
  /** Tokens to read before it decodes. */
  readonly target: number;
  readonly overtakes: number;
  /** Milliseconds, when it was first overtaken; null when it never was. */
  readonly overtakenSince: number | null;
}

/**
 * Whose prompt is read next: the lowest turn among the rows that prefill and the first waiting request that can start.
 * Null when nobody can.
 *
 * @param state.waiting in the order of their turns
 * @param state.canStart whether something other than room keeps a waiting request: its graph variant, a prompt to share
 * @param state.roomTokens tokens of KV memory that a new prompt may count on
 */
export function chooseTurn<Waiting extends WaitingTurn>(state: {
  readonly prefilling: readonly PromptTurn[];
  readonly waiting: readonly Waiting[];
  readonly canStart: (request: Waiting) => boolean;
  readonly freeRows: number;
  readonly roomTokens: number;
  readonly now: number;
}): PromptTurn | null {
  const { prefilling, waiting, canStart, freeRows, roomTokens, now } = state;
  let head: PromptTurn | null = null;
  for (const row of prefilling) if (head === null || row.turn < head.turn) head = row;
  if (freeRows < 1) return head;
  for (const request of waiting) {
    if (head !== null && request.turn > head.turn) return head;
    if (!canStart(request)) continue;
    if (request.target <= roomTokens) return request;
    if (isOwed(request, now)) return head;
  }
  return head;
}

/** Whether a request has been overtaken enough: nobody else takes memory before it. */
export function isOwed({ overtakes, overtakenSince }: WaitingTurn, now: number): boolean {
  return overtakes >= mostOvertakes || (overtakenSince !== null && now - overtakenSince >= longestOvertaking);
}

/** Tokens that a new prompt may count on: what is not spoken for by rows that read, that hold, and that will grow. */
export function roomForPrompt(state: {
  readonly limit: number;
  /** For each row that prefills, the tokens it will hold before it decodes. */
  readonly prefillTargets: readonly number[];
  /** Tokens that the rows that decode hold together, and their number. */
  readonly decodeTokens: number;
  readonly decodeRows: number;
  /** Tokens by which each of them may grow first. */
  readonly growthTokens: number;
}): number {
  const { limit, prefillTargets, decodeTokens, decodeRows, growthTokens } = state;
  return limit - decodeTokens - decodeRows * growthTokens - prefillTargets.reduce((sum, target) => sum + target, 0);
}

/** The kind of the next step; null when there is nothing to run. */
export function chooseKind(state: {
  /** Whether somebody's prompt can be read. */
  readonly prefill: boolean;
  readonly decodeRows: number;
  /** Milliseconds of prefill since the last decode step; 0 when that came last. */
  readonly spentMilliseconds: number;
  /** Milliseconds of prefill that the rows that decode put up with between two of their steps. */
  readonly budgetMilliseconds: number;
  /** What the smallest chunk in question takes. */
  readonly chunkMilliseconds: number;
  /** Whether rows that decode and a prompt can share a step. */
  readonly ragged?: boolean;
}): StepKind | null {
  const { prefill, decodeRows, spentMilliseconds, budgetMilliseconds, chunkMilliseconds, ragged = false } = state;
  if (decodeRows === 0) return prefill ? 'prefill' : null;
  if (!prefill) return 'decode';
  if (ragged) return 'mixed';
  if (spentMilliseconds === 0) return 'prefill';
  return spentMilliseconds + chunkMilliseconds <= budgetMilliseconds ? 'prefill' : 'decode';
}

/** Milliseconds of prefill between two decode steps. */
export function prefillBudget(decodeMilliseconds: number, ratio: number): number {
  return Math.max(shortestChunkMilliseconds, ratio * decodeMilliseconds);
}

/**
 * Length of the next chunk of a prompt: as long as the budget allows, in whole units, and never below `smallestChunk`
 * unless less is left.
 *
 * @param state.left tokens still to read
 * @param state.budgetMilliseconds null: no row decodes, nobody waits for the end of the step
 */
export function chunkTokens(state: {
  readonly left: number;
  readonly maxChunk: number;
  readonly budgetMilliseconds: number | null;
  readonly predict: (tokens: number) => number;
  /** `smallestChunk` or `smallestMixedChunk`. */
  readonly smallest?: number;
}): number {
  const { left, maxChunk, budgetMilliseconds, predict, smallest = smallestChunk } = state;
  const most = Math.min(left, maxChunk);
  if (budgetMilliseconds === null || predict(most) <= budgetMilliseconds) return most;
  const least = Math.min(most, smallest);
  for (let tokens = Math.floor((most - 1) / chunkUnit) * chunkUnit; tokens > least; tokens -= chunkUnit) {
    if (predict(tokens) <= budgetMilliseconds) return tokens;
  }
  return least;
}

/** Who gives its memory back: who came last. Null when there is nobody but the first. */
export function chooseVictim<Row extends { readonly arrival: number }>(rows: readonly Row[]): Row | null {
  let first: Row | null = null;
  let last: Row | null = null;
  for (const row of rows) {
    if (first === null || row.arrival < first.arrival) first = row;
    if (last === null || row.arrival > last.arrival) last = row;
  }
  return last === first ? null : last;
}
