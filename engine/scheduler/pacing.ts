import type { StepKind } from '../core/step.ts';
import { type ChunkShape, CostModel, type StepShape } from './cost-model.ts';
import {
  chooseKind,
  chunkTokens,
  defaultPrefillRatio,
  prefillBudget,
  smallestChunk,
  smallestMixedChunk,
} from './policy.ts';
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

  /**
   * The kind of the next step; null when there is nothing to run.
   * @param prompt whose prompt could be read
   * @param share whether it and the rows that decode can share a step
   */
  chooseKind(prompt: PacedRow | null, decoding: readonly PacedRow[], share: boolean): StepKind | null {
    const least = prompt ? Math.min(smallestChunk, prompt.target - prompt.tokens) : 0;
    return chooseKind({
      prefill: prompt !== null,
      decodeRows: decoding.length,
      share,
      spentMilliseconds: this.#spent,
      budgetMilliseconds: this.#budget(decoding),
      chunkMilliseconds: prompt ? this.#chunkMilliseconds(prompt, least) : Number.POSITIVE_INFINITY,
    });
  }

  /**
   * Tokens of the prompt's next chunk; 0 where no time is left for one beside `before`.
   * @param share whether the step is the rows' that decode too, or other prompts'
   * @param before pieces of other prompts that the step has already
   */
  chunk(
    prompt: PacedRow,
    decoding: readonly PacedRow[],
    maxChunk: number,
    share: boolean,
    before: readonly ChunkShape[] = [],
  ): number {
    const left = Math.min(
      prompt.target - prompt.tokens,
      maxChunk - before.reduce((sum, { tokens }) => sum + tokens, 0),
    );
    const shared = share && (decoding.length > 0 || before.length > 0);
    const budgetMilliseconds = decoding.length > 0 ? this.#budget(decoding) - this.#spent : null;
    const predict = (tokens: number) =>
      shared
        ? this.#costs.predictShare(mixedShape(decoding, [...before, { tokens, start: prompt.tokens }]))
        : this.#chunkMilliseconds(prompt, tokens);
    const smallest = shared ? smallestMixedChunk : smallestChunk;
    const fits = left > 0 && (budgetMilliseconds === null || predict(Math.min(left, smallest)) <= budgetMilliseconds);
    if (before.length > 0 && !fits) return 0;
    return chunkTokens({ left, maxChunk, budgetMilliseconds, predict, smallest });
  }

  /** A step of these rows, with what it should take. */
  predicted(kind: StepKind, decoding: readonly ScheduledRow[], prompts: readonly ScheduledRow[]): ScheduledStep {
    const step = { kind, rows: [...decoding, ...prompts], prompts: prompts.length };
    const known = this.#costs.knows(kind);
    return { ...step, predictedMilliseconds: known ? this.#costs.predict(shapeOf(step)) : null };
  }

  /** A step has run. @param milliseconds what it took; null when that says nothing about the next one */
  observe(step: ScheduledStep, milliseconds: number | null): void {
    const shape = shapeOf(step);
    if (step.rows.length > step.prompts) this.#spent = 0;
    else this.#spent += milliseconds ?? this.#costs.predict(shape);
    if (milliseconds !== null) this.#costs.observe(shape, milliseconds);
  }

  /** Milliseconds of prefill between two decode steps of these rows. */
  #budget(decoding: readonly PacedRow[]): number {
    const decode = { kind: 'decode', rows: decoding.length, held: heldBy(decoding) } as const;
    return prefillBudget(this.#costs.predict(decode), this.#ratio);
  }

  #chunkMilliseconds(prompt: PacedRow, tokens: number): number {
    return this.#costs.predict({ kind: 'prefill', tokens, start: prompt.tokens });
  }
}

function heldBy(rows: readonly PacedRow[]): number {
  return rows.reduce((sum, row) => sum + row.tokens, 0);
}

function mixedShape(decoding: readonly PacedRow[], prompts: readonly ChunkShape[]) {
  const decode = { kind: 'decode', rows: decoding.length, held: heldBy(decoding) } as const;
  return { kind: 'mixed', decode, prompts } as const;
}

function shapeOf({ kind, rows, prompts }: Omit<ScheduledStep, 'predictedMilliseconds'>): StepShape {
  const decoding = rows.slice(0, rows.length - prompts);
  const chunks = rows.slice(rows.length - prompts).map(({ count, start }) => ({ tokens: count, start }));
  const [first] = chunks;
  if (kind === 'prefill' && first) return { kind, ...first };
  const decode = {
    kind: 'decode',
    rows: decoding.length,
    held: decoding.reduce((sum, row) => sum + row.start, 0),
  } as const;
  return kind === 'decode' ? decode : { kind: 'mixed', decode, prompts: chunks };
}
