import type { Edit } from '../core/index.ts';
import { editPorts } from '../graph/index.ts';
import {
  type EditLayout,
  type EditParameter,
  type EditTables,
  editParameterNames,
  layOutEdits,
  type SiteEdits,
  sameArithmetic,
  writeSlot,
} from '../steering/index.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { NativeMemory } from './native-memory.ts';
import { TensorView } from './tensor.ts';

const alignment = 64;

/**
 * The edits of one hook point in native memory, slot by slot, as graphs read them. It lasts over steps, bound shapes and
 * variants: what stands in a slot already is not written again.
 */
export class EditMemory {
  readonly hookPoint: string;
  /** Where the edits given last stand. */
  layout: EditLayout | null = null;
  private readonly tokenWidth: number;
  /** The edits given last. */
  private site: SiteEdits | null = null;
  private memory: NativeMemory | null = null;
  private tables: EditTables | null = null;
  private capacity = 0;
  /** What has been written into each slot. */
  private held: (Edit | undefined)[] = [];

  constructor(hookPoint: string, tokenWidth: number) {
    this.hookPoint = hookPoint;
    this.tokenWidth = tokenWidth;
  }

  /**
   * Lays the edits out and writes those that are new. Answers what was outgrown: memory that nothing may be bound to any more
   * when it is freed; null most of the time.
   */
  hold(site: SiteEdits): NativeMemory | null {
    if (site === this.site) return null;
    const layout = layOutEdits(site.edits, this.layout);
    const fits = this.tables !== null && layout.slots.length <= this.capacity;
    const outgrown = fits ? null : this.grow(layout.slots.length);
    for (let slot = 0; slot < layout.slots.length; slot++) {
      const edit = layout.slots[slot] as Edit | null;
      const held = this.held[slot];
      if (edit === null || held === edit || (held && sameArithmetic(held, edit))) continue;
      // Half written it would be neither.
      this.held[slot] = undefined;
      writeSlot(this.tables as EditTables, slot, edit, this.tokenWidth);
      this.held[slot] = edit;
    }
    this.layout = layout;
    this.site = site;
    return outgrown;
  }

  /** The tables as a graph's inputs in the shape of the layout, by port name. To be released once they are bound. */
  tensors(environment: RuntimeEnvironment): Map<string, TensorView> {
    const { groups, width } = this.layout as EditLayout;
    const port = editPorts(this.hookPoint);
    const vector = (name: string, values: Float32Array, shape: readonly number[]) => {
      const address = (this.memory as NativeMemory).address + BigInt(values.byteOffset);
      const byteLength = shape.reduce((product, size) => product * size, 4);
      return [name, new TensorView(environment, { address, byteLength }, 'float32', shape)] as const;
    };
    const { read, write, parameters } = this.tables as EditTables;
    return new Map([
      vector(port.read, read, [groups, width, this.tokenWidth]),
      vector(port.write, write, [groups, width, this.tokenWidth]),
      ...editParameterNames.map((name) => vector(port.parameters[name], parameters[name], [groups, 1, width])),
    ]);
  }

  close(): void {
    this.memory?.free();
  }

  private grow(slots: number): NativeMemory | null {
    const outgrown = this.memory;
    const capacity = Math.max(16, slots, 2 * this.capacity);
    const rowBytes = Math.ceil((capacity * 4) / alignment) * alignment;
    const tableBytes = Math.ceil((capacity * this.tokenWidth * 4) / alignment) * alignment;
    const memory = NativeMemory.reserve(2 * tableBytes + editParameterNames.length * rowBytes);
    const table = (at: number) => new Float32Array(memory.buffer, at * tableBytes, capacity * this.tokenWidth);
    const parameter = (at: number) => new Float32Array(memory.buffer, 2 * tableBytes + at * rowBytes, capacity);
    this.tables = {
      read: table(0),
      write: table(1),
      parameters: Object.fromEntries(editParameterNames.map((name, at) => [name, parameter(at)])) as Record<
        EditParameter,
        Float32Array
      >,
    };
    this.memory = memory;
    this.capacity = capacity;
    this.held = [];
    return outgrown;
  }
}
