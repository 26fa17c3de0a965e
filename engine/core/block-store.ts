/**
 * Copies of pieces of the KV cache that outlive their slot: what the prefix cache keeps. A block is `blockTokens`
 * consecutive positions of one slot. Copies run between steps, in pieces that let the event loop turn.
 */
export interface BlockStore {
  /** Tokens of a block. */
  readonly blockTokens: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /**
   * Copies `count` blocks out of a slot, the first of which begins at position `start`; returns their numbers in that order.
   * Rejects, and keeps none, when there is no memory for all of them, or when what would be copied is not finite.
   */
  save(slot: number, start: number, count: number): Promise<readonly number[]>;
  /** Copies blocks into a slot, one after the other from position `start` on. */
  load(slot: number, start: number, blocks: readonly number[]): Promise<void>;
  /** Gives a block's memory back. Does nothing once everything is closed. */
  free(block: number): void;
}
