import { TillerError } from '../core/index.ts';

/**
 * Of how many of the model's blocks each slot holds keys and values. A step that gives out nothing but taps runs the first blocks alone
 * (graph/depth.ts): what it leaves in its slot must never be taken for what a whole step leaves.
 */
export class SlotDepths {
  private readonly blocks: number;
  /** Slots in which blocks are missing. */
  private readonly shallow = new Map<number, number>();

  constructor(blocks: number) {
    this.blocks = blocks;
  }

  /**
   * Says that the first `blocks` blocks are written from position `start` on. Throws `step_failed` where one of them is missing at the
   * positions before.
   */
  note(slot: number, start: number, blocks = this.blocks): void {
    const before = start === 0 ? this.blocks : this.of(slot);
    if (blocks > before) this.refuse(slot);
    const left = Math.min(before, blocks);
    if (left < this.blocks) this.shallow.set(slot, left);
    else this.shallow.delete(slot);
  }

  /** Throws `step_failed` unless all blocks are there. */
  checkWhole(slot: number): void {
    if (this.shallow.has(slot)) this.refuse(slot);
  }

  /** Says that one slot's content is another's now. */
  copy(from: number, to: number): void {
    const depth = this.shallow.get(from);
    if (depth === undefined) this.shallow.delete(to);
    else this.shallow.set(to, depth);
  }

  /** Says that nobody needs the slot's content any more. */
  forget(slot: number): void {
    this.shallow.delete(slot);
  }

  private of(slot: number): number {
    return this.shallow.get(slot) ?? this.blocks;
  }

  private refuse(slot: number): never {
    const held = `slot ${slot} holds keys and values of the first ${this.of(slot)} of ${this.blocks} blocks alone`;
    const message = `It was said that nothing but taps would be wanted of this row: ${held}. Read it again from its first token.`;
    throw new TillerError('step_failed', message);
  }
}
