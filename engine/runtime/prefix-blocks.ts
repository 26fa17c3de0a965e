import { TillerError } from '../core/index.ts';
import { CopyPace } from './copy-pace.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import { NativeMemory, pageBytes } from './native-memory.ts';

/**
 * Tokens of a block. Prompts are shared up to a multiple of it and end, on average, half a block later, which is computed
 * again: 8 tokens cost less than a step's own overhead. Shorter blocks would save nothing and make more copies, of less than
 * a page each: 16 tokens of a head of 64 floats are 4 KiB. vLLM's default is 16, too.
 */
export const blockTokens = 16;

/**
 * Blocks that are reserved together. What nobody has written costs address space only, where there is mmap. They are many because the
 * engine of JavaScript takes every reservation for memory that it should make room for, and collects garbage: tens of milliseconds.
 */
const arenaBlocks = 1024;

/** Native memory for copies of pieces of the KV cache; core/block-store.ts says how they are used. */
export class PrefixBlocks {
  readonly blockTokens = blockTokens;
  readonly blockBytes: number;
  private readonly cache: KeyValueCache;
  /** Bytes from one block to the next: whole pages, so that a freed block gives all of its own back. */
  private readonly stride: number;
  /** Block b lies in arena b div arenaBlocks. */
  private readonly arenas: NativeMemory[] = [];
  /** Blocks that nobody uses. */
  private readonly vacant = new Set<number>();

  constructor(cache: KeyValueCache) {
    this.cache = cache;
    this.blockBytes = blockTokens * cache.tokenBytes;
    this.stride = Math.ceil(this.blockBytes / pageBytes) * pageBytes;
  }

  /** Blocks in use. */
  get size(): number {
    return this.arenas.length * arenaBlocks - this.vacant.size;
  }

  async save(slot: number, start: number, count: number): Promise<number[]> {
    this.cache.checkSpan(slot, start + count * blockTokens);
    this.cache.depths.checkWhole(slot);
    const blocks: number[] = [];
    const pace = new CopyPace();
    try {
      for (let b = 0; b < count; b++) {
        const block = this.take();
        blocks.push(block);
        this.copy(block, slot, start + b * blockTokens, 'save');
        if (!this.isFinite(block)) throw new TillerError('step_failed', 'Keys and values are not finite numbers.');
        if (pace.isDue(this.blockBytes)) await pace.turn();
      }
    } catch (error) {
      for (const block of blocks) this.free(block);
      throw error;
    }
    return blocks;
  }

  async load(slot: number, start: number, blocks: readonly number[]): Promise<void> {
    const end = start + blocks.length * blockTokens;
    this.cache.checkSpan(slot, end);
    this.cache.depths.note(slot, start);
    this.cache.noteWrite(slot, end);
    const pace = new CopyPace();
    for (const [b, block] of blocks.entries()) {
      this.copy(block, slot, start + b * blockTokens, 'load');
      if (pace.isDue(this.blockBytes)) await pace.turn();
    }
  }

  free(block: number): void {
    const { arena, offset } = this.place(block);
    if (this.vacant.has(block)) throw new Error(`block ${block} is freed twice`);
    this.vacant.add(block);
    arena.discard(offset, this.stride);
  }

  close(): void {
    for (const arena of this.arenas.splice(0)) arena.free();
    this.vacant.clear();
  }

  /** A block that nobody uses; reserves an arena where there is none. */
  private take(): number {
    if (this.vacant.size === 0) this.addArena();
    const [block] = this.vacant as Iterable<number> as [number];
    this.vacant.delete(block);
    return block;
  }

  private addArena(): void {
    const first = this.arenas.length * arenaBlocks;
    this.arenas.push(NativeMemory.reserve(arenaBlocks * this.stride));
    for (let block = first; block < first + arenaBlocks; block++) this.vacant.add(block);
  }

  private place(block: number): { readonly arena: NativeMemory; readonly offset: number } {
    const arena = this.arenas[Math.floor(block / arenaBlocks)];
    if (!arena) throw new Error(`there is no block ${block}`);
    return { arena, offset: (block % arenaBlocks) * this.stride };
  }

  /** In a block, heads follow each other in the order of the cache's memories: [memories, key-value heads, tokens, head]. */
  private copy(block: number, slot: number, start: number, direction: 'save' | 'load'): void {
    const { arena, offset } = this.place(block);
    const bytes = blockTokens * this.cache.tokenHeadBytes;
    const inArena = arena.bytes;
    const heads = this.cache.headOffsets(slot, start);
    let at = offset;
    for (const { memory } of this.cache.memories) {
      const inSlot = memory.bytes;
      for (const head of heads) {
        if (direction === 'save') inArena.set(inSlot.subarray(head, head + bytes), at);
        else inSlot.set(inArena.subarray(at, at + bytes), head);
        at += bytes;
      }
    }
  }

  /**
   * Whether the values of the last layer are finite. A stream that is not finite at some layer is not finite at any later
   * one of the same token, so the last layer speaks for all.
   */
  private isFinite(block: number): boolean {
    const { arena, offset } = this.place(block);
    const bytes = this.blockBytes / this.cache.memories.length;
    return this.cache.areFinite(arena.buffer, offset + this.blockBytes - bytes, bytes);
  }
}
