import { CostModel, type StepShape } from './cost-model.ts';
import { chooseKind, chunkTokens, defaultPrefillRatio, prefillBudget, smallestChunk } from './policy.ts';
import type { ScheduledRow, ScheduledStep } from './scheduled-step.ts';

/** A row, as far as what its steps cost goes. */
interface PacedRow {
  /** Tokens in its slot, and tokens to have there before it decodes. */
  readonly tokens: number;
  readonly target: number;
}

/** Divides time between prompts and replies, by what steps are predicted to take. */
export class Pacing {
  readonly #costs = new CostModel();
  readonly #ratio: number;
  /** Milliseconds of prefill since the last decode step. */
  #spent = 0;

  /** @param ratio policy.ts `defaultPrefillRatio` */
  constructor(ratio = defaultPrefillRatio) {
    this.#ratio = ratio;
  }

  /** The kind of the next step; null when there is nothing to run. @param prompt whose prompt could be read */
  chooseKind(prompt: PacedRow | null, decoding: readonly PacedRow[]): 'prefill' | 'decode' | null {
    const least = prompt ? Math.min(smallestChunk, prompt.target - prompt.tokens) : 0;
    return chooseKind({
      prefill: prompt !== null,
      decodeRows: decoding.length,
      spentMilliseconds: this.#spent,
      budgetMilliseconds: this.#budget(decoding),
      chunkMilliseconds: prompt ? this.#chunkMilliseconds(prompt, least) : Number.POSITIVE_INFINITY,
    });
  }

  /** Tokens of the prompt's next chunk. */
  chunk(prompt: PacedRow, decoding: readonly PacedRow[], maxChunk: number): number {
    return chunkTokens({
      left: prompt.target - prompt.tokens,
      maxChunk,
      budgetMilliseconds: decoding.length > 0 ? this.#budget(decoding) - this.#spent : null,
      predict: (tokens) => this.#chunkMilliseconds(prompt, tokens),
    });
  }

  /** A step of these rows, with what it should take. */
  predicted(kind: ScheduledStep['kind'], rows: readonly ScheduledRow[]): ScheduledStep {
    const known = this.#costs.knows(kind);
    return { kind, rows, predictedMilliseconds: known ? this.#costs.predict(shapeOf(kind, rows)) : null };
  }

  /** A step has run. @param milliseconds what it took; null when that says nothing about the next one */
  observe({ kind, rows }: ScheduledStep, milliseconds: number | null): void {
    const shape = shapeOf(kind, rows);
    if (kind === 'decode') this.#spent = 0;
    else this.#spent += milliseconds ?? this.#costs.predict(shape);
    if (milliseconds !== null) this.#costs.observe(shape, milliseconds);
  }

  /** Milliseconds of prefill between two decode steps of these rows. */
  #budget(decoding: readonly PacedRow[]): number {
    const held = decoding.reduce((sum, row) => sum + row.tokens, 0);
    return prefillBudget(this.#costs.predict({ kind: 'decode', rows: decoding.length, held }), this.#ratio);
  }

  #chunkMilliseconds(prompt: PacedRow, tokens: number): number {
    return this.#costs.predict({ kind: 'prefill', tokens, start: prompt.tokens });
  }
}

function shapeOf(kind: ScheduledStep['kind'], rows: readonly ScheduledRow[]): StepShape {
  const held = rows.reduce((sum, row) => sum + row.start, 0);
  return kind === 'decode' ? { kind, rows: rows.length, held } : { kind, tokens: rows[0]?.count ?? 0, start: held };
}
