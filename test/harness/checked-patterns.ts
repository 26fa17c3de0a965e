import type { Executor, ModelConfig, RowResult } from '../../engine/core/index.ts';
import { familyRow, largestDifference } from './families.ts';

/** What a row's tap of one block shows, by head, query and key. */
class Shown {
  readonly values: Float32Array;
  readonly queries: number;
  readonly keys: number;
  constructor(result: RowResult | undefined, hookPoint: string, queries: number, keys: number) {
    this.values = result?.taps.get(hookPoint) ?? new Float32Array();
    this.queries = queries;
    this.keys = keys;
  }
  row(head: number, query: number): Float32Array {
    const at = (head * this.queries + query) * this.keys;
    return this.values.subarray(at, at + this.keys);
  }
}

/** Runs prompts and then decodes them in one batch, and checks of every step what must hold between scores, pattern, values and z. */
export class CheckedRows {
  readonly taps: readonly string[];
  private readonly executor: Executor;
  private readonly config: ModelConfig;
  private readonly rounded: (value: number) => number;
  /** By slot, the values [token][head · width] of every block. */
  private readonly values = new Map<string, number[]>();
  /** Queries checked, a head of a block at a time, and how far off what they give was. */
  checked = 0;
  readonly differences: number[] = [];

  constructor(executor: Executor, config: ModelConfig, rounded: (value: number) => number) {
    this.executor = executor;
    this.config = config;
    this.rounded = rounded;
    const hooks = ['hook_attn_scores', 'hook_pattern', 'hook_v', 'hook_z'];
    this.taps = config.layers.flatMap((_, block) => hooks.map((hook) => `blocks.${block}.attn.${hook}`));
  }

  async prefill(slot: number, ids: readonly number[]): Promise<void> {
    for (let block = 0; block < this.config.blocks; block++) this.values.set(`${slot}.${block}`, []);
    for (let start = 0; start < ids.length; start += this.executor.maxChunk) {
      const chunk = ids.slice(start, start + this.executor.maxChunk);
      const row = familyRow(slot, chunk, start, this.taps);
      const [result] = await this.executor.run({ kind: 'prefill', rows: [row] });
      this.check(slot, result, start, chunk.length);
    }
  }

  async decode(rows: readonly { readonly id: number; readonly start: number }[]): Promise<void> {
    const plan = rows.map(({ id, start }, slot) => familyRow(slot, [id], start, this.taps));
    const results = await this.executor.run({ kind: 'decode', rows: plan });
    for (const [slot, { start }] of rows.entries()) this.check(slot, results[slot], start, 1);
  }

  private check(slot: number, result: RowResult | undefined, start: number, count: number): void {
    const { config } = this;
    for (const [block, { window }] of config.layers.entries()) {
      const at = (hook: string) => `blocks.${block}.attn.${hook}`;
      const values = this.values.get(`${slot}.${block}`) ?? [];
      for (const value of result?.taps.get(at('hook_v')) ?? []) values.push(this.rounded(value));
      const scores = new Shown(result, at('hook_attn_scores'), count, start + count);
      const pattern = new Shown(result, at('hook_pattern'), count, start + count);
      if (scores.values.length !== config.heads * count * (start + count))
        throw new Error(`${scores.values.length} scores`);
      const z = result?.taps.get(at('hook_z')) ?? new Float32Array();
      for (let head = 0; head < config.heads; head++) {
        for (let query = 0; query < count; query++) {
          const place = { head, query, position: start + query, window };
          this.checkOne(place, scores.row(head, query), pattern.row(head, query), values, z);
        }
      }
    }
  }

  private checkOne(
    place: { readonly head: number; readonly query: number; readonly position: number; readonly window: number | null },
    scores: Float32Array,
    pattern: Float32Array,
    values: readonly number[],
    z: Float32Array,
  ): void {
    const { heads, keyValueHeads, headDim } = this.config;
    const { head, query, position, window } = place;
    const oldest = window === null ? 0 : position + 1 - window;
    const most = scores.reduce((largest, score) => Math.max(largest, score), Number.NEGATIVE_INFINITY);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
    const attended = new Float64Array(headDim);
    const column = Math.floor(head / (heads / keyValueHeads)) * headDim;
    for (const [key, weight] of pattern.entries()) {
      const score = scores[key] as number;
      const hidden = key > position || key < oldest;
      if (hidden !== (score === Number.NEGATIVE_INFINITY) || (hidden && weight !== 0)) {
        throw new Error(`position ${position} and key ${key}: score ${score}, weight ${weight}`);
      }
      this.differences.push(Math.abs(weight - Math.exp(score - most) / total));
      for (let d = 0; d < headDim; d++) {
        attended[d] = (attended[d] ?? 0) + weight * (values[key * keyValueHeads * headDim + column + d] ?? Number.NaN);
      }
    }
    const at = (query * heads + head) * headDim;
    this.differences.push(largestDifference(Float32Array.from(attended), z.subarray(at, at + headDim)));
    this.checked++;
  }
}
