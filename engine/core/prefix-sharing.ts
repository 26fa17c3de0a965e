import type { ArrayReading, EditReading } from './edit-reading.ts';
import type { GenerateRequest } from './request.ts';

/** What sharing prompts needs of a request that is inside the engine. engine/generation.ts implements it. */
export interface SharedSequence {
  readonly request: GenerateRequest;
  /** Tokens known so far: the prompt and what was generated. The newest generated one is in no cache yet. */
  readonly length: number;
  /** No more than its first so many tokens may come from the cache: conditions have to read those after them, or have edited them. */
  readonly mayTake: number;
  /** No more than its first so many tokens may be left in the cache: those after them may be edited by conditions, which no key says. */
  readonly mayLeave: number;
  /** The tokens at positions `from` … `to` − 1. */
  tokensBetween(from: number, to: number): Int32Array;
  /**
   * What the request's edit number `edit` read at positions `from` … `to` − 1, zeros where it touched nothing. Null when
   * that is not remembered: positions that were forgotten, or not computed yet, or never remembered because the request has
   * too many edits.
   */
  readingsBetween(edit: number, from: number, to: number): ArrayReading | null;
  /** Readings before this position will not be asked for again. */
  forgetReadings(before: number): void;
  /**
   * Takes readings of positions that another request computed, as if this one had: they enter its report (unless it has
   * reported those positions before it was preempted).
   */
  restoreReadings(edit: number, from: number, reading: EditReading): void;
}

/** KV memory that outlives its request and serves others that begin alike. Calls never overlap, and none runs during a step. */
export interface PrefixSharing {
  /** Tokens that are held now, for the account of KV memory. */
  readonly tokens: number;
  /** How many tokens `restore` would fill in now; 0 for those that must not read the cache. */
  known(sequence: SharedSequence): number;
  /**
   * Fills a fresh slot with what is known of the sequence's beginning; never its newest token, which is always computed.
   * Readings of edits go to `restoreReadings`. Rejects when copying fails: the sequence is lost then.
   * @returns tokens now in the slot, from position 0 on
   */
  restore(sequence: SharedSequence, slot: number): Promise<number>;
  /**
   * Remembers the first `tokens` positions of a slot, all of which have been computed and verified. Called after every chunk
   * of a prompt and at the end of a reply; what is held already is not copied again. May hold less than asked. Rejects when
   * copying fails, or what would be copied is not finite: then nothing is lost but time.
   */
  keep(sequence: SharedSequence, slot: number, tokens: number): Promise<void>;
  /** Lets go of at least so many tokens, least recently used first, if it holds as many. @returns how many went */
  evict(tokens: number): number;
  statistics(): PrefixStatistics;
}

export interface PrefixStatistics {
  /** Prompt tokens that were looked up, and those of them that were found. */
  readonly queries: number;
  readonly hits: number;
  readonly blocksEvicted: number;
}
