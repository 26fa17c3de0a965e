import { type Encoder, TillerError } from '../core/index.ts';
import { chooseForm, EncoderMemory, encoderBytes } from './encoder-memory.ts';

interface Held {
  readonly memory: EncoderMemory;
  pins: number;
}

/** Encoders in memory under a budget of bytes: read when they are first needed, the least recently used one let go for another. */
export class EncoderMemories {
  private readonly budgetBytes: number;
  private readonly strips: boolean;
  private readonly evicted: (memory: EncoderMemory) => void;
  /** By key, least recently used first. */
  private readonly held = new Map<string, Held>();
  private readonly loading = new Map<string, Promise<Held>>();
  private reserved = 0;
  private shut = false;

  /**
   * `strips`: as the own operator wants them. `evicted` is told of memory that must be freed, after everything bound to it.
   */
  constructor(budgetBytes: number, strips: boolean, evicted: (memory: EncoderMemory) => void) {
    this.budgetBytes = budgetBytes;
    this.strips = strips;
    this.evicted = evicted;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.reserved;
  }

  get size(): number {
    return this.held.size;
  }

  /**
   * The memory of these encoders, which stays until `release` is called, once. Throws `unsupported` where they do not fit the budget
   * beside those that others hold.
   */
  async hold(encoders: readonly Encoder[]): Promise<{ readonly memories: readonly EncoderMemory[]; release(): void }> {
    const held: Held[] = [];
    const release = () => {
      for (const each of held.splice(0)) each.pins--;
    };
    try {
      for (const encoder of encoders) {
        const one = await this.get(encoder);
        one.pins++;
        held.push(one);
      }
      return { memories: held.map(({ memory }) => memory), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Waits for what is being read, and lets everything go. */
  async close(): Promise<void> {
    this.shut = true;
    await Promise.allSettled(this.loading.values());
    for (const { memory } of this.held.values()) memory.free();
    this.held.clear();
    this.reserved = 0;
  }

  private async get(encoder: Encoder): Promise<Held> {
    const { key } = encoder;
    for (;;) {
      if (this.shut) throw new TillerError('step_failed', 'The model has been unloaded.');
      const found = this.held.get(key);
      if (found) {
        this.held.delete(key);
        this.held.set(key, found);
        return found;
      }
      const loading = this.loading.get(key);
      if (!loading) break;
      await loading;
    }
    const started = this.load(encoder);
    this.loading.set(key, started);
    try {
      return await started;
    } finally {
      this.loading.delete(key);
    }
  }

  private async load(encoder: Encoder): Promise<Held> {
    const form = await chooseForm(encoder, this.strips);
    const bytes = encoderBytes(encoder, form);
    this.makeRoom(encoder, bytes);
    this.reserved += bytes;
    try {
      const held = { memory: await EncoderMemory.load(encoder, form, this.strips), pins: 0 };
      this.held.set(encoder.key, held);
      return held;
    } catch (error) {
      this.reserved -= bytes;
      throw error;
    }
  }

  private makeRoom(encoder: Encoder, bytes: number): void {
    for (const [key, { memory, pins }] of this.held) {
      if (this.reserved + bytes <= this.budgetBytes) return;
      if (pins > 0) continue;
      this.held.delete(key);
      this.reserved -= memory.byteLength;
      this.evicted(memory);
    }
    if (this.reserved + bytes <= this.budgetBytes) return;
    const mega = (value: number) => `${Math.ceil(value / 2 ** 20)} MiB`;
    throw new TillerError(
      'unsupported',
      `The encoder of ${encoder.outputs} outputs at ${encoder.hookPoint} takes ${mega(bytes)}, and ${mega(this.reserved)} of the ` +
        `${mega(this.budgetBytes)} for encoders are in use. Read fewer sources at a time, or give encoders more memory (--encoder-memory-bytes).`,
    );
  }
}
