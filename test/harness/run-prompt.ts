import type { Executor, LogitsRow, RowResult, RowStep } from '../../engine/core/index.ts';

export interface PromptRun {
  /** Full logits of every position asked for, copied: [position][vocabulary]. */
  readonly logits: readonly Float32Array[];
  readonly rows: readonly LogitsRow[];
  /** Tap → [tokens, d_model] over the whole prompt. */
  readonly taps: ReadonlyMap<string, Float32Array>;
  readonly results: readonly RowResult[];
}

/** Runs a whole prompt through one slot in chunks. Edit masks are given over the whole prompt. */
export async function runPrompt(
  executor: Executor,
  tokens: readonly number[],
  options: { logits?: 'last' | 'all'; taps?: readonly string[]; edits?: RowStep['edits']; slot?: number } = {},
): Promise<PromptRun> {
  const { logits = 'last', taps = [], edits = [], slot = 0 } = options;
  const run = { logits: [] as Float32Array[], rows: [] as LogitsRow[], results: [] as RowResult[] };
  const parts = new Map<string, Float32Array[]>(taps.map((name) => [name, []]));
  for (let start = 0; start < tokens.length; start += executor.maxChunk) {
    const chunk = Int32Array.from(tokens.slice(start, start + executor.maxChunk));
    const end = start + chunk.length;
    const row: RowStep = {
      requestId: 'prompt',
      slot,
      tokens: chunk,
      start,
      logits: logits === 'all' ? 'all' : end === tokens.length ? 'last' : 'none',
      edits: edits.map(({ edit, mask }) => ({ edit, mask: mask.slice(start, end) })),
      taps,
    };
    const [result] = await executor.run({ kind: 'prefill', rows: [row] });
    if (!result) throw new Error('the executor returned no row');
    run.results.push(result);
    run.rows.push(...result.logits);
    run.logits.push(...result.logits.map((entry) => entry.full().slice()));
    for (const [name, values] of result.taps) parts.get(name)?.push(values);
  }
  return { ...run, taps: new Map([...parts].map(([name, list]) => [name, concatenate(list)])) };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
