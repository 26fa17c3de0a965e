import { LRUCache } from 'lru-cache';
import { type ModelConfig, TillerError } from '../core/index.ts';
import { type KeyValueType, ports } from '../graph/index.ts';
import { CopyPace } from './copy-pace.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { NativeMemory } from './native-memory.ts';
import { SlotDepths } from './slot-depths.ts';
import { TensorView } from './tensor.ts';

const numberBytes: Readonly<Record<KeyValueType, number>> = { float32: 4, float16: 2 };

/**
 * Keys and values of all slots, one stretch of memory for each block and kind: [slots, key-value heads, context, head].
 * Attention reads and writes it in place. Pages are committed when a token is written and given back when a slot
 * is freed, so memory follows the tokens held and not the room reserved.
 */
export class KeyValueCache {
  private readonly environment: RuntimeEnvironment;
  private readonly config: ModelConfig;
  private readonly context: number;
  private readonly type: KeyValueType;
  /** By port name of the past input; the present output of the same block is the same memory. */
  readonly memories: { readonly past: string; readonly present: string; readonly memory: NativeMemory }[] = [];
  private readonly windows: LRUCache<string, CacheWindow>;
  private readonly slots: number;
  /** By slot, the tokens that may have been written since it was freed. */
  private readonly written = new Map<number, number>();
  /** Of how many blocks a slot has keys and values. Whoever writes a slot by itself says so here, too. */
  readonly depths: SlotDepths;

  constructor(
    environment: RuntimeEnvironment,
    config: ModelConfig,
    slots: number,
    context: number,
    type: KeyValueType,
  ) {
    this.environment = environment;
    this.config = config;
    this.context = context;
    this.type = type;
    this.slots = slots;
    this.depths = new SlotDepths(config.blocks);
    this.windows = new LRUCache({ max: 64, dispose: (window) => window.release() });
    const reserve = () => NativeMemory.reserve(slots * this.slotBytes);
    try {
      for (let block = 0; block < config.blocks; block++) {
        this.memories.push({ past: ports.pastKey(block), present: ports.presentKey(block), memory: reserve() });
        this.memories.push({ past: ports.pastValue(block), present: ports.presentValue(block), memory: reserve() });
      }
    } catch (error) {
      this.close();
      const gigabytes = ((2 * config.blocks * slots * this.slotBytes) / 1e9).toFixed(1);
      const message = `There is no room for a cache of ${slots} rows of ${context} tokens (${gigabytes} GB); lower --max-rows or --context.`;
      throw new TillerError('runtime_unavailable', message, { cause: error });
    }
  }

  /** Bytes that one token takes over all blocks. */
  get tokenBytes(): number {
    return this.memories.length * this.config.keyValueHeads * this.tokenHeadBytes;
  }

  /** Bytes of one token in one head of one memory. */
  get tokenHeadBytes(): number {
    return this.config.headDim * numberBytes[this.type];
  }

  /** Slots [first, first + rows) as tensors, for both the past inputs and the present outputs. */
  window(first: number, rows: number): CacheWindow {
    const key = `${first}+${rows}`;
    let window = this.windows.get(key);
    if (!window) {
      window = new CacheWindow();
      const { keyValueHeads, headDim } = this.config;
      for (const { past, present, memory } of this.memories) {
        const place = {
          address: memory.address + BigInt(first * this.slotBytes),
          byteLength: rows * this.slotBytes,
        };
        const tensor = new TensorView(this.environment, place, this.type, [rows, keyValueHeads, this.context, headDim]);
        window.inputs.set(past, tensor);
        window.outputs.set(present, tensor);
      }
      this.windows.set(key, window);
    }
    return window;
  }

  /** Says that a step or a copy writes the slot's positions up to `tokens`, so that `freeSlot` knows of them. */
  noteWrite(slot: number, tokens: number): void {
    this.written.set(slot, Math.max(this.written.get(slot) ?? 0, tokens));
  }

  /** Throws unless a slot has these positions. */
  checkSpan(slot: number, tokens: number): void {
    if (slot >= 0 && slot < this.slots && tokens >= 0 && tokens <= this.context) return;
    throw new TillerError('step_failed', `There are no ${tokens} positions in slot ${slot}.`);
  }

  /** Where position `token` of each head lies in a slot of every memory, in bytes. */
  headOffsets(slot: number, token: number): number[] {
    const headBytes = this.context * this.tokenHeadBytes;
    const first = slot * this.slotBytes + token * this.tokenHeadBytes;
    return Array.from({ length: this.config.keyValueHeads }, (_, head) => first + head * headBytes);
  }

  /**
   * Copies the first `tokens` positions of one slot over another's, whose own pages are given back first. Lets the event
   * loop turn between pieces; nothing may write either slot meanwhile.
   */
  async copySlot(from: number, to: number, tokens: number): Promise<void> {
    if (from === to) return;
    this.checkSpan(from, tokens);
    this.checkSpan(to, tokens);
    await this.freeSlot(to);
    this.noteWrite(to, tokens);
    this.depths.copy(from, to);
    const used = tokens * this.tokenHeadBytes;
    const sources = this.headOffsets(from, 0);
    const targets = this.headOffsets(to, 0);
    const pace = new CopyPace();
    for (const { memory } of this.memories) {
      for (const [head, source] of sources.entries()) {
        memory.bytes.copyWithin(targets[head] as number, source, source + used);
        if (pace.isDue(used)) await pace.turn();
      }
    }
  }

  /** Gives a slot's pages back. Lets the event loop turn between pieces; nothing may write the slot meanwhile. */
  async freeSlot(slot: number): Promise<void> {
    this.depths.forget(slot);
    const tokens = this.written.get(slot) ?? 0;
    if (!this.written.delete(slot)) return;
    const pace = new CopyPace();
    const held = (tokens * this.tokenBytes) / this.memories.length;
    // Unwritten pages between the heads cost nothing here: one call a memory is as quick as one for each head's used part.
    for (const { memory } of this.memories) {
      memory.discard(slot * this.slotBytes, this.slotBytes);
      if (pace.isDue(held)) await pace.turn();
    }
  }

  /** Whether numbers of the cache's type, somewhere in memory, are all finite. */
  areFinite(buffer: ArrayBuffer, offset: number, byteLength: number): boolean {
    if (this.type === 'float32') return new Float32Array(buffer, offset, byteLength / 4).every(Number.isFinite);
    // half precision: an exponent of all ones
    return new Uint16Array(buffer, offset, byteLength / 2).every((bits) => (bits & 0x7c00) !== 0x7c00);
  }

  close(): void {
    this.windows.clear();
    for (const { memory } of this.memories) memory.free();
  }

  private get slotBytes(): number {
    return this.config.keyValueHeads * this.context * this.tokenHeadBytes;
  }
}

/** Tensors over a range of slots. */
export class CacheWindow {
  readonly inputs = new Map<string, TensorView>();
  readonly outputs = new Map<string, TensorView>();

  release(): void {
    for (const tensor of this.inputs.values()) tensor.release();
  }
}
