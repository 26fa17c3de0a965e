import type { Executor, LogitsRow, RowStep } from '../../engine/index.ts';

/** What one step of a window gave. */
export interface WindowStep {
  /** Position of the step's first token. */
  readonly start: number;
  /** One a token; `full()` holds until the same executor's next step. */
  readonly logits: readonly LogitsRow[];
  /** Streams at the taps, [tokens, dModel], copies. */
  readonly taps: ReadonlyMap<string, Float32Array>;
}

/** Reads a window from its beginning, so many tokens a step: one a step is how a reply is generated. */
export async function* readWindow(
  executor: Executor,
  tokens: Int32Array,
  stepTokens: number,
  taps: readonly string[],
): AsyncGenerator<WindowStep> {
  for (let start = 0; start < tokens.length; start += stepTokens) {
    const row: RowStep = {
      requestId: 'quality',
      slot: 0,
      tokens: tokens.slice(start, start + stepTokens),
      start,
      logits: 'all',
      edits: [],
      taps,
    };
    const kind = stepTokens === 1 && start > 0 ? 'decode' : 'prefill';
    const [result] = await executor.run({ kind, rows: [row] });
    if (!result) throw new Error('the executor returned no row');
    yield { start, logits: result.logits, taps: result.taps };
  }
  executor.freeSlot(0);
}
