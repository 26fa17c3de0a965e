import { BestList, type Ranked } from './best-list.ts';
import type { Pace } from './pace.ts';

/** What of a model turns its stream into logits; the engine gives it (engine/unembedding.ts). */
export interface UnembeddingReader {
  /** Width of the stream. */
  readonly width: number;
  /** Tokens that have a logit. */
  readonly tokens: number;
  /** The final norm takes the mean off (LayerNorm). */
  readonly centres: boolean;
  /** Its gain, [width]. */
  gain(): Promise<Float32Array>;
  /** The rows of the unembedding in order, [rows, width], some megabytes at a time; overwritten when the next ones are asked for. */
  rows(): AsyncIterable<{ readonly first: number; readonly rows: number; readonly values: Float32Array }>;
}

export interface LogitLens {
  /** Tokens by the logit that the direction adds, largest first. */
  readonly top: readonly Ranked[];
  /** Smallest first. */
  readonly bottom: readonly Ranked[];
  /** What was taken off: the mean over all tokens. */
  readonly mean: number;
}

/** Rows between two looks at the clock. */
const burstNumbers = 2 ** 17;

/**
 * What directions in the stream add to the logits if nothing stood between: direction · gain of the final norm · unembedding, its mean
 * over the tokens taken off (which changes no probability). The norm's division and a soft cap are left out, so values compare within a
 * direction. Tokens in `only`, where it is given, are all returned, in `top`. Float64 sums.
 */
export async function logitLens(
  directions: readonly Float32Array[],
  unembedding: UnembeddingReader,
  { limit, pace, only }: { readonly limit: number; readonly pace: Pace | null; readonly only?: readonly number[] },
): Promise<readonly LogitLens[]> {
  const { width } = unembedding;
  const gain = await unembedding.gain();
  const seen = directions.map((direction) => {
    const mean = unembedding.centres ? direction.reduce((sum, value) => sum + value, 0) / width : 0;
    return Float64Array.from(direction, (value, i) => (value - mean) * gain[i]);
  });
  const lists = seen.map(() => ({ top: new BestList(limit), bottom: new BestList(limit), sum: 0 }));
  const asked = only === undefined ? null : new Set(only);
  const found = seen.map((): Ranked[] => []);
  const burst = Math.max(1, Math.floor(burstNumbers / (width * directions.length)));
  for await (const { first, rows, values } of unembedding.rows()) {
    for (let row = 0; row < rows; row++) {
      if (row % burst === 0 && pace?.isDue()) await pace.turn();
      const [token, from] = [first + row, row * width];
      for (let d = 0; d < seen.length; d++) {
        const [direction, list] = [seen[d], lists[d]];
        const value = dot(values, from, direction);
        list.sum += value;
        list.top.offer(token, value);
        list.bottom.offer(token, -value);
        if (asked?.has(token)) found[d].push({ index: token, value });
      }
    }
  }
  return lists.map(({ top, bottom, sum }, d) => {
    const mean = sum / unembedding.tokens;
    const off = ({ index, value }: Ranked, sign: number) => ({ index, value: sign * value - mean });
    return {
      top: (asked ? found[d] : top.items).map((item) => off(item, 1)),
      bottom: asked ? [] : bottom.items.map((item) => off(item, -1)),
      mean,
    };
  });
}

/** Of a direction and the row that lies in `values` from `from` on. Four sums side by side: each need not wait for the one before. */
function dot(values: Float32Array, from: number, direction: Float64Array): number {
  const width = direction.length;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 4 <= width; i += 4) {
    a += values[from + i] * direction[i];
    b += values[from + i + 1] * direction[i + 1];
    c += values[from + i + 2] * direction[i + 2];
    d += values[from + i + 3] * direction[i + 3];
  }
  for (; i < width; i++) a += values[from + i] * direction[i];
  return a + b + c + d;
}
