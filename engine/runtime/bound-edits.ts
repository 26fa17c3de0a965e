import type { EditReading, RowStep } from '../core/index.ts';
import { editPorts } from '../graph/index.ts';
import { type EditLayout, type PortOutputs, SlotReading, type StepEdits, writeMask } from '../steering/index.ts';
import type { BoundStep } from './bound-step.ts';
import type { EditMemory } from './edit-memory.ts';

/** The masks and the readings of the edits of one bound step. */
export class BoundEdits {
  private readonly memories: readonly EditMemory[];
  private readonly outputs: readonly PortOutputs[];
  /** What the masks and the readings were made for. */
  private last: { readonly edits: StepEdits; readonly layouts: readonly (EditLayout | null)[] } | null = null;
  private lastReadings: readonly (readonly EditReading[])[] = [];

  /** @param memories of the hook points that the step's variant opens */
  constructor(step: BoundStep, memories: readonly EditMemory[]) {
    this.memories = memories;
    this.outputs = memories.map(({ hookPoint }) => {
      const port = editPorts(hookPoint);
      return {
        mask: step.bytes(port.mask),
        gate: step.bytes(port.gate),
        coefficient: step.float32(port.coefficient),
        readingBefore: step.float32(port.readingBefore),
        readingAfter: step.float32(port.readingAfter),
        streamNorm: step.float32(port.streamNorm),
      };
    });
  }

  /** Says which tokens each edit touches. */
  writeMasks(rows: readonly RowStep[], edits: StepEdits): void {
    if (this.isLast(edits)) return;
    const tokens = rows[0]?.tokens.length ?? 0;
    this.memories.forEach(({ hookPoint, layout }, at) => {
      const indices = edits.sites.get(hookPoint)?.indices ?? [];
      const masks = indices.map((own, r) => own.map((index) => rows[r]?.edits[index]?.mask as Float32Array));
      writeMask((this.outputs[at] as PortOutputs).mask, layout as EditLayout, masks, tokens);
    });
    this.lastReadings = this.makeReadings(rows, edits, tokens);
    this.last = { edits, layouts: this.memories.map(({ layout }) => layout) };
  }

  /** For each row, the readings of its edits in their order, as the last run left them. */
  readings(): readonly (readonly EditReading[])[] {
    return this.lastReadings;
  }

  private isLast(edits: StepEdits): boolean {
    const { last } = this;
    return last?.edits === edits && this.memories.every(({ layout }, at) => last.layouts[at] === layout);
  }

  private makeReadings(rows: readonly RowStep[], edits: StepEdits, tokens: number): readonly EditReading[][] {
    const readings = rows.map((row) => new Array<EditReading>(row.edits.length));
    this.memories.forEach(({ hookPoint, layout }, at) => {
      const site = edits.sites.get(hookPoint);
      if (!site || !layout) return;
      site.indices.forEach((indices, row) => {
        indices.forEach((index, i) => {
          const place = layout.places[row]?.[i] as number;
          const edit = rows[row]?.edits[index]?.edit;
          if (!edit) return;
          const reading = new SlotReading(this.outputs[at] as PortOutputs, layout, edit, { row, place, tokens });
          (readings[row] as EditReading[])[index] = reading;
        });
      });
    });
    return readings;
  }
}
