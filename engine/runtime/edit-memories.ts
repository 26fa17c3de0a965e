import type { RowStep } from '../core/index.ts';
import { type StepEdits, sortEdits } from '../steering/index.ts';
import { EditMemory } from './edit-memory.ts';
import type { NativeMemory } from './native-memory.ts';

/**
 * The edits of one kind of step, at every hook point where there ever were some. Prompts and decoding rows have memories of
 * their own: their steps take turns, and neither should write the other's edits again each time.
 */
export class EditMemories {
  private readonly widthOf: (hookPoint: string) => number;
  private readonly memories = new Map<string, EditMemory>();
  private readonly outgrown: (hookPoint: string, memory: NativeMemory) => void;
  private last: StepEdits | null = null;

  /** `widthOf` says how many floats a token has at a hook point. `outgrown` is told of memory that must be freed, after everything bound to that hook point's edits. */
  constructor(widthOf: (hookPoint: string) => number, outgrown: (hookPoint: string, memory: NativeMemory) => void) {
    this.widthOf = widthOf;
    this.outgrown = outgrown;
  }

  /** The edits of a step's rows, sorted; the same object as for the step before where they are the same. */
  sort(rows: readonly RowStep[]): StepEdits {
    this.last = sortEdits(rows, this.last);
    return this.last;
  }

  /** Writes what is new for each of the hook points that a variant opens, in their order. */
  hold(open: ReadonlySet<string>, edits: StepEdits): EditMemory[] {
    return Array.from(open, (hookPoint) => {
      let memory = this.memories.get(hookPoint);
      if (!memory) {
        memory = new EditMemory(hookPoint, this.widthOf(hookPoint));
        this.memories.set(hookPoint, memory);
      }
      const outgrown = memory.hold(edits.sites.get(hookPoint) ?? edits.none);
      if (outgrown) this.outgrown(hookPoint, outgrown);
      return memory;
    });
  }

  close(): void {
    for (const memory of this.memories.values()) memory.close();
    this.memories.clear();
    this.last = null;
  }
}
