import { describe, expect, it } from 'vitest';
import { halfBits, numberOfHalf, roundedToHalf } from '../../harness/half.ts';
import {
  type AttentionStep,
  attend,
  cachePlace,
  firstPosition,
  writtenCache,
} from '../../harness/reference-attention.ts';
import { floats, type OperatorInput, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const types = ['float32', 'float16'] as const;
type CacheType = (typeof types)[number];

interface How {
  readonly type: CacheType;
  /** The cache's row of each row, and how many it has; left out: a row each, in their order. */
  readonly slots?: readonly number[];
  readonly cacheRows?: number;
  /** Queries, keys and values side by side in one tensor. */
  readonly packed?: boolean;
  readonly threads?: number;
}

interface Result {
  readonly z: Float32Array;
  /** The cache afterwards, as numbers and as bytes. */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly bytes: readonly Uint8Array[];
}

/** What a cache holds where nothing was written yet: bits that are not a number in either type, so that reading it shows. */
const untouched = { float32: 0x7fc12345, float16: 0x7e35 };

/** The cache as the operator holds it. Bits stand for NaN, as a number would not keep which one it was. */
function cacheOf(step: AttentionStep, numbers: Float32Array, type: CacheType): OperatorInput {
  const { rows, keyHeads, capacity, width } = step;
  const shape = [rows, keyHeads, capacity, width];
  const values = type === 'float32' ? numbers.slice() : new Uint16Array(numbers.length);
  const bits = type === 'float32' ? new Uint32Array(values.buffer) : values;
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] as number;
    if (Number.isNaN(number)) bits[at] = untouched[type];
    else if (type === 'float16') values[at] = halfBits(number);
  }
  return { type, shape, values };
}

function numbersOf(bytes: ArrayBuffer, type: CacheType): Float32Array {
  if (type === 'float32') return new Float32Array(bytes);
  const bits = new Uint16Array(bytes);
  const numbers = new Float32Array(bits.length);
  for (let at = 0; at < bits.length; at++) numbers[at] = numberOfHalf(bits[at] as number);
  return numbers;
}

async function run(step: AttentionStep, { type, packed = false, threads, slots, cacheRows }: How): Promise<Result> {
  const { rows, tokens, heads, keyHeads, width, capacity, rotary, rowScale } = step;
  const count = rows * tokens;
  const shapeOf = (own: number) => [rows, tokens, own * width];
  const projected = packed
    ? [floats(shapeOf(heads + 2 * keyHeads), sideBySide([step.q, step.k, step.v], count)), null, null]
    : [floats(shapeOf(heads), step.q), floats(shapeOf(keyHeads), step.k), floats(shapeOf(keyHeads), step.v)];
  const tables = rotary
    ? [floats([capacity, rotary.half], rotary.cosine), floats([capacity, rotary.half], rotary.sine)]
    : [null, null];
  const { inputs, outputs } = await runOperator({
    operator: type === 'float16' ? 'HalfAttention' : 'Attention',
    attributes: {
      heads,
      kv_heads: keyHeads,
      scale: { float: step.scale },
      softcap: { float: step.softcap },
      window: step.window,
    },
    inputs: [
      ...projected,
      cacheOf({ ...step, rows: cacheRows ?? rows }, step.keys, type),
      cacheOf({ ...step, rows: cacheRows ?? rows }, step.values, type),
      { type: 'int32', shape: [rows], values: Int32Array.from(step.lastPositions) },
      ...tables,
      rowScale ? floats([count, 1], rowScale) : null,
      slots ? { type: 'int32', shape: [rows], values: Int32Array.from(slots) } : null,
    ],
    outputs: [{ type: 'float32', shape: shapeOf(heads) }],
    threads,
  });
  const [, , , keys, values] = inputs as [unknown, unknown, unknown, ArrayBuffer, ArrayBuffer];
  return {
    z: new Float32Array(outputs[0] as ArrayBuffer),
    keys: numbersOf(keys, type),
    values: numbersOf(values, type),
    bytes: [new Uint8Array(keys), new Uint8Array(values)],
  };
}

/** [count, a], [count, b] … as [count, a + b …] */
function sideBySide(parts: readonly Float32Array[], count: number): Float32Array {
  const pieces: Float32Array[] = [];
  for (let at = 0; at < count; at++) {
    for (const part of parts) pieces.push(part.subarray((at * part.length) / count, ((at + 1) * part.length) / count));
  }
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let from = 0;
  for (const piece of pieces) {
    whole.set(piece, from);
    from += piece.length;
  }
  return whole;
}

interface Sketch extends Partial<Pick<AttentionStep, 'softcap' | 'window' | 'capacity'>> {
  readonly heads: number;
  readonly keyHeads: number;
  readonly width: number;
  readonly tokens: number;
  /** Tokens that each row holds before the step. */
  readonly pasts: readonly number[];
  /** Columns of the rotary tables; 0: no rotation. */
  readonly half?: number;
  readonly rowScale?: boolean;
  readonly seed?: number;
}

/** A step of random numbers, large enough that some keys count for much more than others. Those of the cache are ones in half precision. */
function stepOf(sketch: Sketch): AttentionStep {
  const { heads, keyHeads, width, tokens, pasts, half = width / 2, softcap = 0, window = 0 } = sketch;
  const rows = pasts.length;
  const next = randomNumbers(sketch.seed ?? width + tokens);
  const capacity = sketch.capacity ?? Math.max(...pasts) + tokens + 3;
  const random = (count: number, scale: number) => Float32Array.from({ length: count }, () => next() * scale);
  const cache = (scale: number) => {
    const numbers = new Float32Array(rows * keyHeads * capacity * width).fill(Number.NaN);
    const shape = { keyHeads, capacity, width } as AttentionStep;
    pasts.forEach((past, row) => {
      for (let head = 0; head < keyHeads; head++) {
        const from = cachePlace(shape, row, head, 0);
        for (let at = from; at < from + past * width; at++) numbers[at] = Math.round(next() * scale * 256) / 256;
      }
    });
    return numbers;
  };
  const tables = () => ({ cosine: new Float32Array(capacity * half), sine: new Float32Array(capacity * half), half });
  const rotary = half === 0 ? null : tables();
  for (let at = 0; rotary && at < capacity * half; at++) {
    const angle = Math.floor(at / half) * 100 ** (-(at % half) / half);
    rotary.cosine[at] = Math.cos(angle);
    rotary.sine[at] = Math.sin(angle);
  }
  return {
    rows,
    tokens,
    heads,
    keyHeads,
    width,
    capacity,
    lastPositions: pasts.map((past) => past + tokens - 1),
    q: random(rows * tokens * heads * width, 8),
    k: random(rows * tokens * keyHeads * width, 4),
    v: random(rows * tokens * keyHeads * width, 2),
    keys: cache(4),
    values: cache(2),
    rotary,
    rowScale: sketch.rowScale ? random(rows * tokens, 1).map((value) => 1 + value) : null,
    scale: 1 / Math.sqrt(width),
    softcap,
    window,
  };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = Math.abs((a[at] as number) - (b[at] as number));
    // NaN counts as far off
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}

/** Whether a place of the cache is one that the step writes. */
function isWritten(step: AttentionStep, place: number): boolean {
  const position = Math.floor(place / step.width) % step.capacity;
  const row = Math.floor(place / (step.width * step.capacity * step.keyHeads));
  return position >= firstPosition(step, row) && position <= (step.lastPositions[row] as number);
}

/**
 * Holds a step against plain arithmetic in double precision. z is held against what the cache that the operator wrote gives: whether
 * that is the right one is looked at apart, as a number that lies between two halves may be rounded either way.
 */
async function check(step: AttentionStep, how: How): Promise<void> {
  const { z, keys, values, bytes } = await run(step, how);
  const wanted = writtenCache(step);
  const before = [cacheOf(step, step.keys, how.type), cacheOf(step, step.values, how.type)];
  const numberBytes = how.type === 'float32' ? 4 : 2;
  [
    { got: keys, want: wanted.keys },
    { got: values, want: wanted.values },
  ].forEach(({ got, want }, which) => {
    const { buffer } = (before[which] as OperatorInput).values;
    const kept = new Uint8Array(buffer);
    const after = bytes[which] as Uint8Array;
    let touched = 0;
    let far = 0;
    for (let place = 0; place < got.length; place++) {
      if (isWritten(step, place)) {
        const value = want[place] as number;
        // half precision: half a unit of 11 bits, and below 2^-14 of 2^-24
        const unit = how.type === 'float32' ? 1e-6 : Math.abs(value) * 2 ** -11 + 2 ** -25 + 1e-6;
        if (!(Math.abs((got[place] as number) - value) <= unit)) far++;
        continue;
      }
      const at = place * numberBytes;
      for (let byte = at; byte < at + numberBytes; byte++) if (after[byte] !== kept[byte]) touched++;
    }
    expect({ far, touched }).toEqual({ far: 0, touched: 0 });
  });
  expect(largestDifference(z, attend(step, { keys, values }))).toBeLessThan(tolerance);
}

/** Sums of up to 1,300 float32 numbers below 1 in size, with weights that come of scores around 10. */
const tolerance = 1e-5;

describe.each(types)('attention over a cache of %s', (type) => {
  const grid = [16, 64, 80, 128, 256].flatMap((width) =>
    [1, 3].flatMap((group) => [true, false].map((packed) => ({ width, group, packed }))),
  );
  it.each(grid)('equals plain arithmetic: width $width, $group queries a key, packed $packed', async (shape) => {
    const { width, group, packed } = shape;
    const heads = { heads: 2 * group, keyHeads: 2, width };
    // A whole rotation, a part of the head, and none; one token and several, over pasts that end anywhere in a tile of 64.
    await check(stepOf({ ...heads, tokens: 1, pasts: [0, 63, 64, 130, 15] }), { type, packed });
    await check(stepOf({ ...heads, tokens: 5, pasts: [70, 0, 31], half: width / 4, rowScale: true }), { type, packed });
    await check(stepOf({ ...heads, tokens: 3, pasts: [17, 61], half: 0 }), { type, packed });
  });

  it('equals it for a chunk longer than what shares a pass, alone and over a past', async () => {
    const heads = { heads: 3, keyHeads: 1, width: 64 };
    await check(stepOf({ ...heads, tokens: 77, pasts: [0] }), { type });
    await check(stepOf({ ...heads, tokens: 70, pasts: [490] }), { type, packed: true, threads: 2 });
  });

  it('equals it for rows of several tokens and different pasts, over several stretches', async () => {
    const heads = { heads: 4, keyHeads: 2, width: 32 };
    await check(stepOf({ ...heads, tokens: 4, pasts: [1150, 3, 510, 0] }), { type, threads: 2 });
    await check(stepOf({ ...heads, tokens: 1, pasts: [1030, 511, 512, 1200, 1] }), { type, packed: true });
  });

  it('caps scores softly', async () => {
    const sketch = { heads: 2, keyHeads: 1, width: 64, tokens: 3, pasts: [600, 20] };
    await check(stepOf({ ...sketch, softcap: 5 }), { type });
    // so that it does something
    const [capped, plain] = await Promise.all([5, 0].map((softcap) => run(stepOf({ ...sketch, softcap }), { type })));
    expect(largestDifference(capped?.z ?? [], plain?.z ?? [])).toBeGreaterThan(1e-2);
  });

  it.each([1, 16, 100, 511, 512, 700])('looks back on a window of %i keys', async (window) => {
    const heads = { heads: 3, keyHeads: 1, width: 16 };
    // The chunk's first tokens see stretches that its last do not, and the other way round.
    await check(stepOf({ ...heads, tokens: 40, pasts: [1110, 1000], window }), { type });
    await check(stepOf({ ...heads, tokens: 1, pasts: [1150, 1023, 5, 620], window, softcap: 8 }), { type });
  });
});

describe.each(types)('attention over a cache of %s, bit for bit', (type) => {
  const heads = { heads: 6, keyHeads: 2, width: 16 };

  it.each([1, 3])('gives a row in a batch what it gives the row alone, %i tokens', async (tokens) => {
    const pasts = [5, 640, 0, 1300, 64];
    const batch = stepOf({ ...heads, tokens, pasts, rowScale: true });
    const together = await run(batch, { type });
    for (let row = 0; row < pasts.length; row++) {
      const alone = rowOf(batch, row);
      const result = await run(alone, { type });
      expect(sameBytes(result.z, part(together.z, row, batch.rows)), `z of row ${row}`).toBe(true);
      for (const [which, bytes] of result.bytes.entries()) {
        expect(sameBytes(bytes, part(together.bytes[which] as Uint8Array, row, batch.rows)), `row ${row}`).toBe(true);
      }
    }
  });

  it.each([0, 100])('gives a prompt the same in one chunk and in many, window %i', async (window) => {
    // across the border between two stretches
    const whole = stepOf({ ...heads, tokens: 60, pasts: [480], capacity: 560, rowScale: true, window });
    const once = await run(whole, { type });
    for (const size of [1, 7, 33]) {
      let { keys, values } = whole;
      const z: Float32Array[] = [];
      for (let from = 0; from < whole.tokens; from += size) {
        const chunk = chunkOf(whole, from, Math.min(size, whole.tokens - from));
        const result = await run({ ...chunk, keys, values }, { type });
        ({ keys, values } = result);
        z.push(result.z);
        if (from + size < whole.tokens) continue;
        for (const [which, bytes] of result.bytes.entries()) {
          expect(sameBytes(bytes, once.bytes[which] as Uint8Array), `cache, chunks of ${size}`).toBe(true);
        }
      }
      expect(sameBytes(sideBySide(z, 1), once.z), `z, chunks of ${size}`).toBe(true);
    }
  });

  it('finds rows in any slots', async () => {
    const batch = stepOf({ ...heads, tokens: 3, pasts: [5, 640, 0] });
    const together = await run(batch, { type });
    const slots = [2, 0, 1];
    const moved = (values: Float32Array) =>
      sideBySide(
        [1, 2, 0].map((row) => part(values, row, 3).slice()),
        1,
      );
    const result = await run({ ...batch, keys: moved(batch.keys), values: moved(batch.values) }, { type, slots });
    expect(sameBytes(result.z, together.z)).toBe(true);
    for (const row of [0, 1, 2]) {
      result.bytes.forEach((bytes, which) => {
        const want = part(together.bytes[which] as Uint8Array, row, 3);
        expect(sameBytes(part(bytes, slots[row] as number, 3), want)).toBe(true);
      });
    }
  });

  it.each([0, 100])(
    'takes rows of one token that follow each other in a slot for a prompt, window %i',
    async (window) => {
      const tokens = 40;
      const whole = stepOf({ ...heads, tokens, pasts: [490], capacity: 560, rowScale: true, window });
      const once = await run(whole, { type });
      const other = rowOf(stepOf({ ...heads, tokens: 1, pasts: [300], capacity: 560, rowScale: true, window }), 0);
      const alone = await run(other, { type });
      const joined = (a: Float32Array | null, b: Float32Array | null) =>
        sideBySide([a ?? new Float32Array(), b ?? new Float32Array()], 1);
      const rows = {
        ...whole,
        rows: tokens + 1,
        tokens: 1,
        lastPositions: [...other.lastPositions, ...Array.from({ length: tokens }, (_, t) => 490 + t)],
        q: joined(other.q, whole.q),
        k: joined(other.k, whole.k),
        v: joined(other.v, whole.v),
        rowScale: joined(other.rowScale, whole.rowScale),
        keys: joined(other.keys, whole.keys),
        values: joined(other.values, whole.values),
      };
      const slots = [0, ...new Array<number>(tokens).fill(1)];
      const mixed = await run(rows, { type, slots, cacheRows: 2 });
      const width = heads.heads * heads.width;
      expect(sameBytes(mixed.z.subarray(0, width), alone.z)).toBe(true);
      expect(sameBytes(mixed.z.subarray(width), once.z)).toBe(true);
      mixed.bytes.forEach((bytes, which) => {
        expect(sameBytes(part(bytes, 0, 2), alone.bytes[which] as Uint8Array)).toBe(true);
        expect(sameBytes(part(bytes, 1, 2), once.bytes[which] as Uint8Array)).toBe(true);
      });
    },
  );

  it('refuses a slot that the cache does not have', async () => {
    for (const slots of [
      [0, 2],
      [-1, 0],
    ]) {
      await expect(run(stepOf({ ...heads, tokens: 1, pasts: [5, 3] }), { type, slots })).rejects.toThrow(
        'outside its cache',
      );
    }
  });

  it('gives the same on one thread and on two', async () => {
    for (const step of [
      stepOf({ ...heads, tokens: 100, pasts: [500] }),
      stepOf({ ...heads, tokens: 2, pasts: [900, 3, 40] }),
    ]) {
      const [one, two] = [await run(step, { type, threads: 1 }), await run(step, { type, threads: 2 })];
      expect(sameBytes(one.z, two.z)).toBe(true);
      one.bytes.forEach((bytes, which) => {
        expect(sameBytes(bytes, two.bytes[which] as Uint8Array)).toBe(true);
      });
    }
  });

  it('keeps what is not a number in one row from the others', async () => {
    const step = stepOf({ ...heads, tokens: 3, pasts: [70, 600, 9] });
    const clean = await run(step, { type });
    const spoilt = { ...step, q: step.q.slice(), k: step.k.slice(), v: step.v.slice() };
    for (const tensor of [spoilt.q, spoilt.k, spoilt.v]) part(tensor, 1, 3).fill(Number.NaN);
    const { z } = await run(spoilt, { type });
    for (const row of [0, 2]) expect(sameBytes(part(z, row, 3), part(clean.z, row, 3))).toBe(true);
    expect(part(z, 1, 3).every(Number.isNaN)).toBe(true);
  });
});

describe('what is not a number', () => {
  const heads = { heads: 2, keyHeads: 1, width: 16 };

  it.each(types)('in a query gives none, in its own head and token alone: %s', async (type) => {
    for (const past of [0, 14, 15, 64, 512, 1100]) {
      const step = stepOf({ ...heads, tokens: 2, pasts: [past] });
      const clean = await run(step, { type });
      step.q[3] = Number.NaN;
      const { z } = await run(step, { type });
      expect(z.subarray(0, 16).every(Number.isNaN), `past ${past}`).toBe(true);
      expect(sameBytes(z.subarray(16), clean.z.subarray(16))).toBe(true);
    }
  });

  // A maximum that lets NaN go, or a sum that begins anew behind it, would lose it in some of these places and not in others.
  const places = [0, 7, 15, 16, 63, 64, 511, 512, 513];
  const grid = types.flatMap((type) => places.map((bad) => ({ type, bad })));
  it.each(grid)('in the key or value at position $bad is seen by all that see it: $type', async ({ type, bad }) => {
    for (const last of [bad, bad + 1, bad + 70, bad + 600]) {
      for (const which of ['key', 'value'] as const) {
        const step = stepOf({ ...heads, tokens: 1, pasts: [last], capacity: 1200 });
        const [own, cached] = which === 'key' ? [step.k, step.keys] : [step.v, step.values];
        if (bad === last) own[0] = Number.NaN;
        else cached[cachePlace(step, 0, 0, bad)] = Number.NaN;
        const { z } = await run(step, { type });
        // a key spoils the weights of all dimensions, a value its own
        const spoilt = which === 'key' ? z : [z[0], z[16]];
        expect(spoilt.every(Number.isNaN), `${which}, seen from ${last}`).toBe(true);
      }
    }
  });
});

describe('half precision', () => {
  it('is rounded to as IEEE 754 says: ties to even, small numbers, and infinity beyond the largest', async () => {
    const next = randomNumbers(5);
    const numbers = Array.from({ length: 2000 }, (_, i) => {
      const half = numberOfHalf(Math.floor((next() + 0.5) * 0x7c00));
      const above = numberOfHalf(Math.min(0x7bff, halfBits(half) + 1));
      const sign = i % 2 ? -1 : 1;
      // numbers that are halves, that lie half way between two, near that, and anywhere
      const kinds = [
        half,
        (half + above) / 2,
        ((half + above) / 2) * (1 + 2 ** -20),
        half + (above - half) * (next() + 0.5),
      ];
      return sign * (kinds[i % 4] as number);
    });
    numbers.push(
      0,
      -0,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -25,
      2 ** -26,
      2 ** -14,
      2 ** -14 - 2 ** -25,
      65503,
      65519,
      65520,
      1e30,
    );
    numbers.push(-1e30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 65504, 65519.996);
    while (numbers.length % 16 !== 0) numbers.push(1);
    const v = Float32Array.from(numbers);
    const tokens = v.length / 16;
    const plain = stepOf({ heads: 1, keyHeads: 1, width: 16, tokens, pasts: [0], capacity: tokens, half: 0 });
    const { bytes } = await run({ ...plain, v }, { type: 'float16' });
    const got = new Uint16Array((bytes[1] as Uint8Array).buffer);
    const wrong = [...v].flatMap((value, at) => {
      const want = halfBits(roundedToHalf(value));
      return got[at] === want ? [] : [{ value, got: got[at], want }];
    });
    expect(wrong).toEqual([]);
  });

  it('is read back as it was written, the smallest numbers too', async () => {
    const step = stepOf({ heads: 1, keyHeads: 1, width: 16, tokens: 1, pasts: [1], half: 0 });
    // Only the first key counts: z is its value.
    step.q.fill(30);
    step.keys.fill(30, 0, 16);
    step.k.fill(-30);
    step.v.fill(0);
    const all = Array.from({ length: 0x7c00 / 16 }, (_, i) => i * 16).filter((_, i) => i % 80 === 0 || i < 66);
    for (const first of all) {
      const halves = Float32Array.from({ length: 16 }, (_, d) => numberOfHalf(first + d) * (d % 2 ? -1 : 1));
      step.values.set(halves);
      const { z } = await run(step, { type: 'float16' });
      expect(largestDifference(z, halves)).toBe(0);
    }
  });
});

describe('attention refuses', () => {
  const sketch = { heads: 2, keyHeads: 1, width: 16, tokens: 2, pasts: [5, 3], capacity: 8 };
  it.each<[string, readonly number[]]>([
    ['a position beyond the capacity', [6, 8]],
    ['a position before the first', [6, 0]],
  ])('%s', async (_what, lastPositions) => {
    for (const type of types) {
      await expect(run({ ...stepOf(sketch), lastPositions }, { type })).rejects.toThrow('outside its cache');
    }
    await run({ ...stepOf(sketch), lastPositions: [7, 1] }, { type: 'float32' });
  });

  it('heads of a width that is not a multiple of 16', async () => {
    for (const width of [8, 24, 72]) {
      const step = stepOf({ ...sketch, width, half: 0 });
      for (const type of types) await expect(run(step, { type })).rejects.toThrow('multiple of 16');
    }
  });
});

/** One of `of` equal parts. */
function part<Values extends Float32Array | Uint8Array>(values: Values, at: number, of: number): Values {
  return values.subarray((at * values.length) / of, ((at + 1) * values.length) / of) as Values;
}

function sameBytes(a: Float32Array | Uint8Array, b: Float32Array | Uint8Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

/** One row of a batch as a step of its own. */
function rowOf(step: AttentionStep, row: number): AttentionStep {
  const own = (values: Float32Array) => part(values, row, step.rows).slice();
  return {
    ...step,
    rows: 1,
    lastPositions: [step.lastPositions[row] as number],
    q: own(step.q),
    k: own(step.k),
    v: own(step.v),
    keys: own(step.keys),
    values: own(step.values),
    rowScale: step.rowScale && own(step.rowScale),
  };
}

/** Some tokens of a step of one row; the cache stays the whole step's. */
function chunkOf(step: AttentionStep, from: number, tokens: number): AttentionStep {
  const own = (values: Float32Array) => {
    const each = values.length / step.tokens;
    return values.slice(from * each, (from + tokens) * each);
  };
  return {
    ...step,
    tokens,
    lastPositions: [firstPosition(step, 0) + from + tokens - 1],
    q: own(step.q),
    k: own(step.k),
    v: own(step.v),
    rowScale: step.rowScale && own(step.rowScale),
  };
}
