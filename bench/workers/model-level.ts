import { createHash } from 'node:crypto';
import type { Edit, Executor, RowResult, RowStep } from '../../engine/core/index.ts';
import type { Timing } from './protocol.ts';

const everywhere = Float32Array.of(1);

/** Tiller's executor by itself, with the greedy choice: the model alone, without queue, sampler or text. */
export class ModelLevel {
  readonly #executor: Executor;
  /** The prompt whose keys and values slots 0 … rows − 1 hold. */
  #held = { prompt: '', rows: 0 };

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** Somebody else has used the slots. */
  forget(): void {
    this.#held = { prompt: '', rows: 0 };
  }

  /** Runs a prompt through slot 0 and gives its greedy next token. */
  async prefill(prompt: readonly number[]): Promise<number> {
    this.forget();
    const { maxChunk } = this.#executor;
    let next = 0;
    for (let start = 0; start < prompt.length; start += maxChunk) {
      const chunk = Int32Array.from(prompt.slice(start, start + maxChunk));
      const last = start + chunk.length === prompt.length;
      const [result] = await this.#executor.run({
        kind: 'prefill',
        rows: [rowStep(0, chunk, start, last ? 'last' : 'none', [])],
      });
      if (last) next = bestToken(result);
    }
    return next;
  }

  /** Continues a prompt in `rows` slots by `steps` tokens each, every row with its edits; only the steps are timed. */
  async decode(
    prompt: readonly number[],
    steps: number,
    rows: number,
    edits: readonly (readonly Edit[])[] | null,
  ): Promise<{ readonly timing: Timing; readonly tokens: readonly number[]; readonly logitsDigest: string }> {
    await this.#hold(prompt, rows);
    const masked = Array.from({ length: rows }, (_, row) =>
      (edits?.[row] ?? []).map((edit) => ({ edit, mask: everywhere })),
    );
    const tokens: number[] = [];
    let next = new Array<number>(rows).fill(prompt[prompt.length - 1]);
    let results: readonly RowResult[] = [];
    const began = performance.now();
    for (let step = 0; step < steps; step++) {
      const start = prompt.length - 1 + step;
      const plan = next.map((token, slot) => rowStep(slot, Int32Array.of(token), start, 'last', masked[slot]));
      results = await this.#executor.run({ kind: 'decode', rows: plan });
      next = results.map(bestToken);
      tokens.push(...next);
    }
    const timing = { seconds: (performance.now() - began) / 1000, tokens: rows * steps };
    const digest = createHash('sha256');
    for (const { logits } of results) for (const row of logits) digest.update(row.full());
    return { timing, tokens, logitsDigest: digest.digest('hex') };
  }

  async greedy(prompt: readonly number[], count: number): Promise<number[]> {
    const generated = [await this.prefill(prompt)];
    while (generated.length < count) {
      const last = Int32Array.of(generated[generated.length - 1]);
      const row = rowStep(0, last, prompt.length + generated.length - 1, 'last', []);
      const [result] = await this.#executor.run({ kind: 'decode', rows: [row] });
      generated.push(bestToken(result));
    }
    return generated;
  }

  /** All but the last token of the prompt in every slot; each round of decoding begins by feeding that one. */
  async #hold(prompt: readonly number[], rows: number): Promise<void> {
    const key = prompt.join();
    if (this.#held.prompt === key && this.#held.rows >= rows) return;
    const context = prompt.slice(0, -1);
    await this.prefill(context);
    for (let slot = 1; slot < rows; slot++) await this.#executor.copySlot(0, slot, context.length);
    this.#held = { prompt: key, rows };
  }
}

function bestToken({ logits }: RowResult): number {
  return logits[0].topTokenIds[0];
}

function rowStep(
  slot: number,
  tokens: Int32Array,
  start: number,
  logits: RowStep['logits'],
  edits: RowStep['edits'],
): RowStep {
  return { requestId: `bench-${slot}`, slot, tokens, start, logits, edits, taps: [] };
}
