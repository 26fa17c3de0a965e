import type { Edit } from '../core/edit.ts';
import type { EditReading } from '../core/edit-reading.ts';
import type { EditLayout } from './edit-layout.ts';
import { largestFinite } from './edit-parameters.ts';

/** What a step leaves at one hook point, [rows, tokens, K] each but for the norm. */
export interface PortOutputs {
  /** What was asked: an input of the step. */
  readonly mask: Uint8Array;
  readonly gate: Uint8Array;
  readonly coefficient: Float32Array;
  readonly readingBefore: Float32Array;
  readonly readingAfter: Float32Array;
  /** [rows, tokens] */
  readonly streamNorm: Float32Array;
}

/**
 * One edit's readings in what a step left, looked at where they lie. A token that positions wanted and that was left alone
 * because ‖x‖ > sinkNorm is a sink.
 */
export class SlotReading implements EditReading {
  readonly tokens: number;
  private readonly outputs: PortOutputs;
  /** Where the first token's value is, and how far it is to the next one's. */
  private readonly first: number;
  private readonly stride: number;
  private readonly firstNorm: number;
  private readonly reads: boolean;
  /** As the graph compared it. */
  private readonly sinkNorm: number;

  /** @param place the edit's slot within the group of its row */
  constructor(
    outputs: PortOutputs,
    layout: EditLayout,
    edit: Edit,
    at: { row: number; place: number; tokens: number },
  ) {
    this.outputs = outputs;
    this.tokens = at.tokens;
    this.stride = layout.width;
    this.firstNorm = at.row * at.tokens;
    this.first = this.firstNorm * layout.width + at.place;
    this.reads = edit.read !== null;
    this.sinkNorm = Math.fround(Math.min(edit.sinkNorm, largestFinite));
  }

  gate(token: number): number {
    return this.outputs.gate[this.first + token * this.stride] as number;
  }

  sink(token: number): number {
    const at = this.first + token * this.stride;
    const { gate, mask, streamNorm } = this.outputs;
    if (!((streamNorm[this.firstNorm + token] as number) > this.sinkNorm)) return 0;
    return (mask[at] as number) - (gate[at] as number);
  }

  coefficient(token: number): number {
    return this.outputs.coefficient[this.first + token * this.stride] as number;
  }

  readingBefore(token: number): number {
    return this.reads ? (this.outputs.readingBefore[this.first + token * this.stride] as number) : 0;
  }

  readingAfter(token: number): number {
    return this.reads ? (this.outputs.readingAfter[this.first + token * this.stride] as number) : 0;
  }

  streamNorm(token: number): number {
    return this.outputs.streamNorm[this.firstNorm + token] as number;
  }
}
