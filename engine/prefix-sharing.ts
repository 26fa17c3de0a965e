import type { BlockStore, EditReading, PrefixSharing, PrefixStatistics, SharedSequence } from './core/index.ts';
import { PrefixCache, type PrefixEntry } from './scheduler/prefix-cache.ts';
import { PackedReading, packReadings } from './steering/packed-readings.ts';
import { type BlockKey, type KeyParts, PrefixKeys } from './steering/prefix-key.ts';

export interface PrefixSharingOptions {
  /** Where the blocks' memory is: the executor's. */
  readonly blocks: BlockStore;
  /** Most bytes that blocks and the readings that go with them may take. */
  readonly budgetBytes: number;
  /** What decides keys and values besides tokens and edits: the model's hash and its precision. */
  readonly salt: string;
  /** Leaves something out of the keys, to show that a test notices. */
  readonly keyParts?: KeyParts;
}

/** What a block holds: its copy of the KV cache, and what each edit that touches it read there, in the request's order. */
interface BlockContent {
  readonly block: number;
  /** Packed; null where no edit touches it. */
  readonly readings: Float32Array | null;
}

/** The prefix cache over an executor's block memory; null where the budget has no room for a block. */
export function createPrefixSharing(options: PrefixSharingOptions): PrefixSharing | null {
  return options.budgetBytes >= options.blocks.blockBytes ? new BlockSharing(options) : null;
}

class BlockSharing implements PrefixSharing {
  readonly #options: PrefixSharingOptions;
  readonly #store: BlockStore;
  readonly #cache: PrefixCache<BlockContent>;
  readonly #keys = new WeakMap<SharedSequence, PrefixKeys>();
  readonly #counted = new WeakSet<SharedSequence>();
  #queries = 0;
  #hits = 0;
  #evicted = 0;

  constructor(options: PrefixSharingOptions) {
    this.#options = options;
    this.#store = options.blocks;
    this.#cache = new PrefixCache(options.budgetBytes);
  }

  get tokens(): number {
    return this.#cache.size * this.#store.blockTokens;
  }

  known(sequence: SharedSequence): number {
    return this.#find(sequence).length * this.#store.blockTokens;
  }

  async restore(sequence: SharedSequence, slot: number): Promise<number> {
    const held = this.#find(sequence);
    const blocks = held.map(({ content }) => content.block);
    if (held.length > 0) await this.#pinned(held, () => this.#store.load(slot, 0, blocks));
    this.#restoreReadings(sequence, held);
    const tokens = held.length * this.#store.blockTokens;
    this.#count(sequence, tokens);
    return tokens;
  }

  async keep(sequence: SharedSequence, slot: number, tokens: number): Promise<void> {
    const count = Math.floor(Math.min(tokens, sequence.mayLeave) / this.#store.blockTokens);
    const keys = this.#keysOf(sequence, count);
    const held = this.#cache.find(keys.map(({ key }) => key));
    try {
      if (held.length < count) await this.#pinned(held, () => this.#save(sequence, slot, keys, held));
    } finally {
      sequence.forgetReadings(Math.floor(tokens / this.#store.blockTokens) * this.#store.blockTokens);
    }
  }

  evict(tokens: number): number {
    const evicted = this.#cache.evict(Math.ceil(tokens / this.#store.blockTokens));
    this.#free(evicted);
    return evicted.length * this.#store.blockTokens;
  }

  statistics(): PrefixStatistics {
    return { queries: this.#queries, hits: this.#hits, blocksEvicted: this.#evicted };
  }

  /** What is held of a sequence but its newest token; nothing for who wants the logits of its prompt, and has to compute them. */
  #find(sequence: SharedSequence): PrefixEntry<BlockContent>[] {
    if (!mayRead(sequence)) return [];
    const most = Math.min(sequence.length - 1, sequence.mayTake);
    const keys = this.#keysOf(sequence, Math.floor(most / this.#store.blockTokens));
    return this.#cache.find(keys.map(({ key }) => key));
  }

  #restoreReadings(sequence: SharedSequence, held: readonly PrefixEntry<BlockContent>[]): void {
    const { blockTokens } = this.#store;
    for (const [at, { touched }] of this.#keysOf(sequence, held.length).entries()) {
      const { readings } = (held[at] as PrefixEntry<BlockContent>).content;
      if (readings === null) continue;
      for (const [k, edit] of touched.entries()) {
        sequence.restoreReadings(edit, at * blockTokens, new PackedReading(readings, k, blockTokens));
      }
    }
  }

  /** Counts a look-up. A request that was preempted asks again: it counts once. */
  #count(sequence: SharedSequence, tokens: number): void {
    if (!mayRead(sequence) || this.#counted.has(sequence)) return;
    this.#counted.add(sequence);
    const { length } = sequence.request.promptTokenIds;
    this.#queries += length;
    this.#hits += Math.min(tokens, length);
  }

  /** Copies the blocks that follow those held, as many as there are readings for, and room. */
  async #save(
    sequence: SharedSequence,
    slot: number,
    keys: readonly BlockKey[],
    held: readonly PrefixEntry<BlockContent>[],
  ): Promise<void> {
    const readings = this.#readingsOf(sequence, keys, held.length);
    const sizes = readings.map((packed) => this.#store.blockBytes + (packed?.byteLength ?? 0));
    const { budgetBytes } = this.#cache;
    // No use in letting others go for blocks that would not fit even then.
    const wanted = fitting(sizes, budgetBytes - sumOf(held.map(({ bytes }) => bytes)));
    this.#free(this.#cache.makeRoom(sumOf(sizes.slice(0, wanted))));
    const count = fitting(sizes.slice(0, wanted), budgetBytes - this.#cache.bytes);
    if (count === 0) return;
    const blocks = await this.#store.save(slot, held.length * this.#store.blockTokens, count);
    const entries = blocks.map((block, at) => ({
      key: (keys[held.length + at] as BlockKey).key,
      content: { block, readings: readings[at] as Float32Array | null },
      bytes: sizes[at] as number,
    }));
    this.#cache.add(entries, held.at(-1)?.key ?? null);
  }

  /** For each block from number `from` on, the readings of the edits that touch it, up to the first that lacks any. */
  #readingsOf(sequence: SharedSequence, keys: readonly BlockKey[], from: number): (Float32Array | null)[] {
    const { blockTokens } = this.#store;
    const blocks: (Float32Array | null)[] = [];
    for (let at = from; at < keys.length; at++) {
      const readings: EditReading[] = [];
      const { key, touched } = keys[at] as BlockKey;
      // Held without its parent: only keys that do not speak for their parent can be.
      if (this.#cache.has(key)) return blocks;
      for (const edit of touched) {
        const reading = sequence.readingsBetween(edit, at * blockTokens, (at + 1) * blockTokens);
        if (reading === null) return blocks;
        readings.push(reading);
      }
      blocks.push(readings.length > 0 ? packReadings(readings, blockTokens) : null);
    }
    return blocks;
  }

  async #pinned(entries: readonly PrefixEntry<BlockContent>[], copy: () => Promise<void>): Promise<void> {
    this.#cache.pin(entries);
    try {
      await copy();
    } finally {
      this.#cache.unpin(entries);
    }
  }

  #free(evicted: readonly PrefixEntry<BlockContent>[]): void {
    this.#evicted += evicted.length;
    for (const { content } of evicted) this.#store.free(content.block);
  }

  #keysOf(sequence: SharedSequence, count: number): readonly BlockKey[] {
    let keys = this.#keys.get(sequence);
    if (!keys) {
      const { edits, positionContext } = sequence.request;
      const { salt, keyParts: parts } = this.#options;
      keys = new PrefixKeys(edits, positionContext, { salt, blockTokens: this.#store.blockTokens, parts });
      this.#keys.set(sequence, keys);
    }
    return keys.first(count, (from, to) => sequence.tokensBetween(from, to));
  }
}

function mayRead({ request }: SharedSequence): boolean {
  return request.promptLogprobs === null;
}

/** How many of the sizes, from the first on, fit into `limit` together. */
function fitting(sizes: readonly number[], limit: number): number {
  let total = 0;
  for (const [at, size] of sizes.entries()) {
    total += size;
    if (total > limit) return at;
  }
  return sizes.length;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
