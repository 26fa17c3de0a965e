import { describe, expect, it } from 'vitest';
import { floats, type OperatorOutput, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

/** Widths that fill sixteen lanes and that do not; the last is shared among threads. */
const shapes = [
  { tokens: 1, width: 64 },
  { tokens: 5, width: 576 },
  { tokens: 6, width: 40 },
  { tokens: 3, width: 7 },
  { tokens: 131, width: 520 },
] as const;

const next = randomNumbers(11);
const random = (count: number, scale = 1) => Float32Array.from({ length: count }, () => next() * scale);
const around = (count: number) => random(count, 0.5).map((value) => 1 + value);

interface Rounded {
  readonly quanta: Uint8Array;
  readonly scale: Float32Array;
}

/** Nearest integer, ties to even. */
function nearest(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest > 0.5 ? below + 1 : below;
}

/** Tokens rounded to 8 bits in float32, step by step as the operators' head says: the same bits are wanted. */
function rounded(x: Float32Array, width: number): Rounded {
  const quanta = new Uint8Array(x.length).fill(128);
  const scale = new Float32Array(x.length / width);
  for (let token = 0; token < scale.length; token++) {
    const own = x.subarray(token * width, (token + 1) * width);
    if (!own.every(Number.isFinite)) {
      scale[token] = Number.NaN;
      continue;
    }
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const step = Math.fround(largest * Math.fround(1 / 127));
    scale[token] = step;
    if (step === 0) continue;
    own.forEach((value, i) => {
      quanta[token * width + i] = Math.max(0, Math.min(255, nearest(Math.fround(value / step)) + 128));
    });
  }
  return { quanta, scale };
}

const roundedOutputs = (shape: readonly number[]): OperatorOutput[] => [
  { type: 'uint8', shape },
  { type: 'float32', shape: [...shape.slice(0, -1), 1] },
];
const roundedFrom = ([quanta, scale]: ArrayBuffer[]): Rounded => {
  return { quanta: new Uint8Array(quanta as ArrayBuffer), scale: new Float32Array(scale as ArrayBuffer) };
};

/** The same bits; of many numbers `toEqual` is slow. */
function expectSame(got: Rounded | Float32Array | null, want: Rounded | Float32Array | null): void {
  const bits = (of: typeof got) => {
    const arrays = of instanceof Float32Array ? [of] : [of?.quanta, of?.scale];
    return Buffer.concat(arrays.map((each) => Buffer.from(each?.buffer ?? new ArrayBuffer(0))));
  };
  expect(bits(got).length).toBeGreaterThan(0);
  expect(bits(got).equals(bits(want))).toBe(true);
}

/** Largest |a − b| / (1 + |b|); NaN counts as infinitely far. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < b.length; i++) {
    const want = b[i] as number;
    const far = Math.abs((a[i] as number) - want) / (1 + Math.abs(want));
    if (!(far <= most)) most = Number.isNaN(far) ? Number.POSITIVE_INFINITY : far;
  }
  return most;
}

async function quantise(x: Float32Array, width: number, threads = 1): Promise<Rounded> {
  const tokens = x.length / width;
  const { outputs } = await runOperator({
    operator: 'Quantise',
    inputs: [floats([tokens, width], x)],
    outputs: roundedOutputs([tokens, width]),
    threads,
  });
  return roundedFrom(outputs);
}

describe('Quantise', () => {
  it.each(shapes)('equals plain arithmetic: $tokens tokens of $width', async ({ tokens, width }) => {
    for (const scale of [1, 1e-20, 1e30]) {
      const x = random(tokens * width, scale);
      expectSame(await quantise(x, width, 2), rounded(x, width));
    }
  });

  it.each([16, 19])('rounds ties to even, %i wide', async (width) => {
    const x = new Float32Array(width);
    // the largest makes the scale 1
    x.set([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -126.5, 3.4999998, 3.5000002, -127]);
    x[width - 1] = 4.5;
    const { quanta, scale } = await quantise(x, width);
    expect([...scale]).toEqual([1]);
    const signed = [...quanta].map((value) => value - 128);
    expect(signed.slice(0, 12)).toEqual([127, 0, 2, 2, 0, -2, -2, 126, -126, 3, 4, -127]);
    expect(signed.at(-1)).toBe(4);
  });

  it.each([16, 23])('gives a token of zeros the middle and the scale 0, %i wide', async (width) => {
    const x = random(3 * width);
    x.fill(0, width, 2 * width);
    const { quanta, scale } = await quantise(x, width);
    expect(scale[1]).toBe(0);
    expect(quanta.subarray(width, 2 * width).every((value) => value === 128)).toBe(true);
    expect({ quanta, scale }).toEqual(rounded(x, width));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'shows %f in the scale of its token, wherever it stands, and in no other token',
    async (value) => {
      const width = 37;
      const clean = random(3 * width);
      const want = rounded(clean, width);
      for (const place of [0, 15, 16, 31, 32, 36]) {
        const x = clean.slice();
        x[width + place] = value;
        const { quanta, scale } = await quantise(x, width);
        expect(scale[1]).toBeNaN();
        for (const token of [0, 2]) {
          expect(scale[token]).toBe(want.scale[token]);
          const own = (from: Uint8Array) => [...from.subarray(token * width, (token + 1) * width)];
          expect(own(quanta)).toEqual(own(want.quanta));
        }
      }
    },
  );
});

interface Norm {
  readonly stream: Float32Array;
  readonly pending: Float32Array | null;
  readonly pendingScale: Float32Array | null;
  readonly weight: Float32Array;
}
const epsilon = 1e-5;

/** `wanted`: which of sum, normalised, and quanta with their scale. */
async function residualNorm({ stream, pending, pendingScale, weight }: Norm, wanted: readonly boolean[], threads = 1) {
  const width = weight.length;
  const tokens = stream.length / width;
  const shape = [1, tokens, width];
  const [sum, normalised, quanta] = wanted;
  const whole = { type: 'float32', shape } as const;
  const { outputs } = await runOperator({
    operator: 'ResidualNorm',
    attributes: { epsilon: { float: epsilon } },
    inputs: [
      floats(shape, stream),
      pending && floats(shape, pending),
      pendingScale && floats([tokens, 1], pendingScale),
      floats([width], weight),
    ],
    // trailing outputs are left out by not naming them, as a graph does
    outputs: [sum ? whole : null, normalised ? whole : null, ...(quanta ? roundedOutputs(shape) : [])],
    threads,
  });
  const [sums, normal, ...rest] = outputs as [ArrayBuffer, ArrayBuffer, ...ArrayBuffer[]];
  return {
    sum: sum ? new Float32Array(sums) : null,
    normalised: normalised ? new Float32Array(normal) : null,
    rounded: quanta ? roundedFrom(rest) : null,
  };
}

describe('ResidualNorm', () => {
  const kinds = [
    { pending: false, scaled: false },
    { pending: true, scaled: false },
    { pending: true, scaled: true },
  ];
  const grid = shapes.flatMap((shape) => kinds.map((kind) => ({ ...shape, ...kind })));

  it.each(grid)(
    'equals plain arithmetic: $tokens tokens of $width, pending $pending, scaled $scaled',
    async ({ tokens, width, pending, scaled }) => {
      const given: Norm = {
        stream: random(tokens * width, 3),
        pending: pending ? random(tokens * width, 3) : null,
        pendingScale: scaled ? around(tokens) : null,
        weight: around(width),
      };
      const all = await residualNorm(given, [true, true, true], 2);
      const sums = Float64Array.from(given.stream, (value, at) => {
        return value + (given.pending?.[at] ?? 0) * (given.pendingScale?.[Math.floor(at / width)] ?? 1);
      });
      expect(difference(all.sum ?? [], sums)).toBeLessThan(5e-7);
      const roots = Array.from({ length: tokens }, (_, token) => {
        const own = sums.subarray(token * width, (token + 1) * width);
        return Math.sqrt(own.reduce((total, each) => total + each * each, 0) / width + epsilon);
      });
      const normalised = sums.map((value, at) => {
        return (value / (roots[Math.floor(at / width)] as number)) * (given.weight[at % width] as number);
      });
      expect(difference(all.normalised ?? [], normalised)).toBeLessThan(2e-6);
      expectSame(all.rounded, rounded(all.normalised as Float32Array, width));
      // What is not asked for changes nothing in the rest.
      for (const wanted of [
        [true, true, false],
        [true, false, true],
        [false, false, true],
        [false, true, false],
        [false, true, true],
      ] as const) {
        const some = await residualNorm(given, wanted);
        if (wanted[0]) expectSame(some.sum, all.sum);
        if (wanted[1]) expectSame(some.normalised, all.normalised);
        if (wanted[2]) expectSame(some.rounded, all.rounded);
      }
    },
  );

  it('gives a token of zeros zeros', async () => {
    const [stream, weight] = [new Float32Array(40), around(40)];
    const { normalised, rounded } = await residualNorm({ stream, pending: null, pendingScale: null, weight }, [
      true,
      true,
      true,
    ]);
    expect(normalised?.every((value) => value === 0)).toBe(true);
    expect(rounded?.scale[0]).toBe(0);
    expect(rounded?.quanta.every((value) => value === 128)).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('shows %f in its token and in no other', async (value) => {
    const width = 40;
    const given = { stream: random(3 * width), pending: random(3 * width), pendingScale: null, weight: around(width) };
    const clean = await residualNorm(given, [true, true, true]);
    const pending = given.pending.slice();
    pending[width + 38] = value;
    const got = await residualNorm({ ...given, pending }, [true, true, true]);
    expect(got.sum?.[width + 38]).toBe(value);
    expect(got.normalised?.[width + 38]).toBeNaN();
    expect(got.rounded?.scale[1]).toBeNaN();
    for (const token of [0, 2]) {
      const own = (from: Float32Array | null) => from?.slice(token * width, (token + 1) * width);
      expect(own(got.normalised)).toEqual(own(clean.normalised));
      expect(got.rounded?.scale[token]).toBe(clean.rounded?.scale[token]);
    }
  });
});

interface Gate {
  readonly gate: Float32Array;
  readonly up: Float32Array;
  readonly rowScale: Float32Array | null;
}

async function gated({ gate, up, rowScale }: Gate, width: number, wanted: readonly boolean[], threads = 1) {
  const tokens = gate.length / width;
  const shape = [tokens, width];
  const [hidden, quanta] = wanted;
  const { outputs } = await runOperator({
    operator: 'Gated',
    inputs: [floats(shape, gate), floats(shape, up), ...(rowScale ? [floats([tokens, 1], rowScale)] : [])],
    outputs: [hidden ? { type: 'float32', shape } : null, ...(quanta ? roundedOutputs(shape) : [])],
    threads,
  });
  const [first, ...rest] = outputs as [ArrayBuffer, ...ArrayBuffer[]];
  return { hidden: hidden ? new Float32Array(first) : null, rounded: quanta ? roundedFrom(rest) : null };
}

/** Gate and up in one tensor. */
async function gatedSideBySide({ gate, up, rowScale }: Gate, width: number) {
  const tokens = gate.length / width;
  const both = new Float32Array(2 * gate.length);
  for (let token = 0; token < tokens; token++) {
    both.set(gate.subarray(token * width, (token + 1) * width), 2 * token * width);
    both.set(up.subarray(token * width, (token + 1) * width), (2 * token + 1) * width);
  }
  const { outputs } = await runOperator({
    operator: 'Gated',
    inputs: [floats([tokens, 2 * width], both), null, ...(rowScale ? [floats([tokens, 1], rowScale)] : [])],
    outputs: [{ type: 'float32', shape: [tokens, width] }],
  });
  return new Float32Array(outputs[0] as ArrayBuffer);
}

const silu = (x: number) => x / (1 + Math.exp(-x));

describe('Gated', () => {
  const grid = shapes.flatMap((shape) => [true, false].map((scaled) => ({ ...shape, scaled })));

  it.each(grid)('equals plain arithmetic: $tokens tokens of $width, scaled $scaled', async (shape) => {
    const { tokens, width, scaled } = shape;
    const given: Gate = {
      gate: random(tokens * width, 20),
      up: random(tokens * width, 4),
      rowScale: scaled ? around(tokens) : null,
    };
    const all = await gated(given, width, [true, true], 2);
    const want = Float64Array.from(given.gate, (gate, at) => {
      const factor = given.rowScale?.[Math.floor(at / width)] ?? 1;
      return silu(gate * factor) * (given.up[at] as number) * factor;
    });
    expect(difference(all.hidden ?? [], want)).toBeLessThan(2e-6);
    expectSame(all.rounded, rounded(all.hidden as Float32Array, width));
    expectSame((await gated(given, width, [true, false])).hidden, all.hidden);
    expectSame((await gated(given, width, [false, true])).rounded, all.rounded);
    expectSame(await gatedSideBySide(given, width), all.hidden);
  });

  it.each([16, 5])('keeps to it at the ends, %i wide', async (width) => {
    const values = [0, -0, 80, -80, 100, -100, 1e4, -1e4, 3e38, -3e38];
    for (const value of values) {
      const given = {
        gate: new Float32Array(width).fill(value),
        up: new Float32Array(width).fill(0.5),
        rowScale: null,
      };
      const { hidden } = await gated(given, width, [true, false]);
      // Below −87 float32 holds e^x no more; a gate of −3e38 leaves less than one.
      for (const got of hidden ?? [])
        expect(Math.abs(got - silu(value) * 0.5)).toBeLessThan(1 + Math.abs(value) * 2e-7);
      if (Math.abs(value) <= 1e4)
        expect(difference(hidden ?? [], new Float64Array(width).fill(silu(value) * 0.5))).toBeLessThan(1e-6);
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'shows %f in the scale of its token and in no other',
    async (value) => {
      const width = 21;
      const given: Gate = { gate: random(3 * width), up: around(3 * width), rowScale: around(3) };
      const clean = await gated(given, width, [true, true]);
      for (const which of ['gate', 'up'] as const) {
        for (const place of [3, 18]) {
          const spoilt = given[which].slice();
          spoilt[width + place] = value;
          const got = await gated({ ...given, [which]: spoilt }, width, [true, true]);
          expect(got.rounded?.scale[1]).toBeNaN();
          for (const token of [0, 2]) {
            expect(got.rounded?.scale[token]).toBe(clean.rounded?.scale[token]);
            const own = (from: Float32Array | null) => from?.slice(token * width, (token + 1) * width);
            expect(own(got.hidden)).toEqual(own(clean.hidden));
          }
        }
      }
    },
  );
});
