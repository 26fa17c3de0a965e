/**
 * Keys and values of a prompt that was read, for other requests of the same tokens to branch off (core/request.ts `Branch`). Whoever asks
 * for one releases it; a request that ends before its run is kept leaves it empty.
 */
export class KeptRun {
  /** Tokens that are held; 0 until it is kept, and after it is released. */
  tokens = 0;
  readonly #kept: Promise<void>;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #blocks: number[] = [];
  #free: (block: number) => void = () => {};
  #released = false;

  constructor() {
    this.#kept = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // whoever waits for it hears of it
    this.#kept.catch(() => undefined);
  }

  /** Blocks of the executor's memory (core/block-store.ts), the prompt's in order. */
  get blocks(): readonly number[] {
    return this.#blocks;
  }

  /** Settles once it is kept; rejects where that failed. */
  kept(): Promise<void> {
    return this.#kept;
  }

  /** Takes over blocks that hold so many tokens. */
  keep(tokens: number, blocks: readonly number[], free: (block: number) => void): void {
    if (this.#released) {
      for (const block of blocks) free(block);
      return;
    }
    this.tokens = tokens;
    this.#blocks = [...blocks];
    this.#free = free;
    this.#resolve();
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  /** Gives the memory back. No request that branches off may be with the engine any more. */
  release(): void {
    this.#released = true;
    this.tokens = 0;
    for (const block of this.#blocks.splice(0)) this.#free(block);
  }
}

/** What a slot begins with, and what is kept of it when its request is finished. Called while no step runs. */
export interface SlotContent {
  /** Fills a fresh slot. @returns tokens now in it */
  restore(slot: number): Promise<number>;
  /** Never throws. */
  keep(slot: number, tokens: number): Promise<void>;
}
