import type { GenerationEvent } from '../../engine/index.ts';

/** What hook points give at chosen positions of a text, as a request's events bring it: the rest is let go as it comes. */
export class KeptTaps {
  readonly #mask: Uint8Array;
  readonly #values: ReadonlyMap<string, { readonly width: number; readonly kept: Float32Array }>;
  /** Positions kept so far. */
  #kept = 0;

  /** @param widths numbers of one position, by hook point */
  constructor(mask: Uint8Array, widths: ReadonlyMap<string, number>) {
    this.#mask = mask;
    const count = mask.reduce((sum, one) => sum + one, 0);
    this.#values = new Map(
      [...widths].map(([name, width]) => [name, { width, kept: new Float32Array(count * width) }]),
    );
  }

  take({ start, taps }: Extract<GenerationEvent, { type: 'activations' }>): void {
    let count = 0;
    for (const [name, { width, kept }] of this.#values) {
      const values = taps.get(name) ?? new Float32Array();
      count = 0;
      for (let t = 0; t < values.length / width; t++) {
        if (this.#mask[start + t] !== 1) continue;
        kept.set(values.subarray(t * width, (t + 1) * width), (this.#kept + count++) * width);
      }
    }
    this.#kept += count;
  }

  /** [positions, width] of a hook point. */
  of(name: string): Float32Array {
    return this.#values.get(name)?.kept ?? new Float32Array();
  }
}
