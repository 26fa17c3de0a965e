/** A step of attention in numbers. Arrays are row major. */
export interface AttentionStep {
  readonly rows: number;
  /** Of each row, in this step. */
  readonly tokens: number;
  readonly heads: number;
  readonly keyHeads: number;
  /** Of a head. */
  readonly width: number;
  readonly capacity: number;
  /** Position of each row's last token. */
  readonly lastPositions: readonly number[];
  /** [rows, tokens, heads · width] */
  readonly q: Float32Array;
  /** [rows, tokens, keyHeads · width] */
  readonly k: Float32Array;
  readonly v: Float32Array;
  /** The cache before the step, [rows, keyHeads, capacity, width]. */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** Tables [capacity, half]: the first 2·half dimensions are turned. */
  readonly rotary: { readonly cosine: Float32Array; readonly sine: Float32Array; readonly half: number } | null;
  /** [rows · tokens] */
  readonly rowScale: Float32Array | null;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  /** Keys looked back on, the token's own among them; 0: all. */
  readonly window: number;
}

/** Where a key or value lies in the cache. */
export function cachePlace(step: AttentionStep, row: number, head: number, position: number): number {
  return ((row * step.keyHeads + head) * step.capacity + position) * step.width;
}

export function firstPosition({ lastPositions, tokens }: AttentionStep, row: number): number {
  return (lastPositions[row] as number) - tokens + 1;
}

/** The cache after the step in double precision: the cache before, and this step's keys and values in their places. */
export function writtenCache(step: AttentionStep): { readonly keys: Float64Array; readonly values: Float64Array } {
  const keys = Float64Array.from(step.keys);
  const values = Float64Array.from(step.values);
  for (let row = 0; row < step.rows; row++) {
    for (let token = 0; token < step.tokens; token++) {
      const at = row * step.tokens + token;
      const position = firstPosition(step, row) + token;
      for (let head = 0; head < step.keyHeads; head++) {
        const place = cachePlace(step, row, head, position);
        keys.set(turned(step, step.k, at, step.keyHeads, head, position), place);
        values.set(scaled(step, step.v, at, step.keyHeads, head), place);
      }
    }
  }
  return { keys, values };
}

/** z, [rows, tokens, heads · width], over a cache that holds this step's keys and values. */
export function attend(
  step: AttentionStep,
  cache: { readonly keys: ArrayLike<number>; readonly values: ArrayLike<number> },
): Float64Array {
  const { rows, tokens, heads, keyHeads, width, scale, softcap, window } = step;
  const z = new Float64Array(rows * tokens * heads * width);
  for (let row = 0; row < rows; row++) {
    for (let token = 0; token < tokens; token++) {
      const at = row * tokens + token;
      const position = firstPosition(step, row) + token;
      const oldest = window > 0 ? Math.max(0, position + 1 - window) : 0;
      for (let head = 0; head < heads; head++) {
        const keyHead = Math.floor((head * keyHeads) / heads);
        const query = turned(step, step.q, at, heads, head, position);
        const scores: number[] = [];
        for (let other = oldest; other <= position; other++) {
          const place = cachePlace(step, row, keyHead, other);
          let score = 0;
          for (let d = 0; d < width; d++) score += (query[d] as number) * (cache.keys[place + d] as number);
          score *= scale;
          scores.push(softcap > 0 ? softcap * Math.tanh(score / softcap) : score);
        }
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const out = (at * heads + head) * width;
        weights.forEach((weight, t) => {
          const place = cachePlace(step, row, keyHead, oldest + t);
          for (let d = 0; d < width; d++) {
            z[out + d] = (z[out + d] as number) + (weight / total) * (cache.values[place + d] as number);
          }
        });
      }
    }
  }
  return z;
}

/** One head of a token, times the token's own factor. */
function scaled(step: AttentionStep, from: Float32Array, at: number, heads: number, head: number): Float64Array {
  const first = (at * heads + head) * step.width;
  const factor = step.rowScale?.[at] ?? 1;
  return Float64Array.from(from.subarray(first, first + step.width), (value) => value * factor);
}

/** The same, rotated to its position. */
function turned(
  step: AttentionStep,
  from: Float32Array,
  at: number,
  heads: number,
  head: number,
  position: number,
): Float64Array {
  const x = scaled(step, from, at, heads, head);
  if (!step.rotary) return x;
  const { cosine, sine, half } = step.rotary;
  for (let d = 0; d < half; d++) {
    const [c, s] = [cosine[position * half + d] as number, sine[position * half + d] as number];
    const [low, high] = [x[d] as number, x[d + half] as number];
    x[d] = low * c - high * s;
    x[d + half] = high * c + low * s;
  }
  return x;
}
