import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SamplingParameters } from '../../../engine/core/request.ts';
import type { LogitsRow } from '../../../engine/core/step.ts';
import { adjustLogits, applyAdjustments, type SamplingState } from '../../../engine/runtime/sampler/adjust.ts';
import type { Truncation } from '../../../engine/runtime/sampler/choose.ts';
import { adjustedHead, headOf } from '../../../engine/runtime/sampler/head.ts';
import { uniform } from '../../../engine/runtime/sampler/random.ts';
import { isFiniteRow, sampleFromFull, sampleFromHead, sampleToken } from '../../../engine/runtime/sampler/sample.ts';
import { logitsRow } from '../../harness/fake-executor.ts';
import { requestFrom } from '../../harness/requests.ts';

const neutral: SamplingParameters = { ...requestFrom({ prompt: [0] }).sampling, temperature: 1, seed: 1 };
const nothingSeen: SamplingState = { promptTokenIds: new Set(), generatedCounts: new Map(), banned: [] };

const rowOf = (values: ArrayLike<number>, topCount = 8): LogitsRow => logitsRow(Float32Array.from(values), topCount);

/** The definition, in the plainest words: every step over the whole vocabulary. Returns the surviving distribution. */
function survivors(logits: readonly number[], p: SamplingParameters): { id: number; probability: number }[] {
  const normalise = (kept: { id: number; probability: number }[]) => {
    const sum = kept.reduce((total, one) => total + one.probability, 0);
    return kept.map((one) => ({ id: one.id, probability: one.probability / sum }));
  };
  const largest = Math.max(...logits);
  let kept = logits.map((logit, id) => ({ id, probability: Math.exp((logit - largest) / p.temperature) }));
  kept = normalise(kept.sort((a, b) => (logits[b.id] ?? 0) - (logits[a.id] ?? 0) || a.id - b.id));
  const mode = kept[0]?.probability ?? 0;
  kept = kept.filter((one) => one.probability >= p.minP * mode * (1 - 1e-12));
  if (p.topK > 0) kept = kept.slice(0, p.topK);
  kept = normalise(kept);
  let before = 0;
  kept = kept.filter((one) => {
    // at 1 nothing is cut, even where what comes before rounds to 1
    const keep = p.topP >= 1 || before < p.topP || before === 0;
    before += one.probability;
    return keep;
  });
  return normalise(kept);
}

const logitsArbitrary = fc.array(
  fc.oneof(
    // multiples of 1/64: logits are tied or clearly apart, so that rounding decides nothing
    fc.integer({ min: -800, max: 800 }).map((sixtyFourths) => sixtyFourths / 64),
    fc.constantFrom(-3, 0, 1.5, 4), // ties
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);
const truncationArbitrary = fc.record({
  temperature: fc.constantFrom(0, 0.2, 0.7, 1, 1, 1.5),
  topP: fc.constantFrom(1, 1, 0.95, 0.5, 0.05),
  topK: fc.constantFrom(0, 0, 1, 3, 7, 8, 50),
  minP: fc.constantFrom(0, 0, 0.05, 0.4, 1),
});
const uniformArbitrary = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const tokenIds = fc.array(fc.nat(59), { maxLength: 8 });
const adjustmentArbitrary = fc.record({
  seen: tokenIds,
  said: tokenIds,
  banned: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: tokenIds }),
  bias: fc.array(fc.tuple(fc.nat(59), fc.constantFrom(-100, -1.25, 0, 2.5, 100)), { maxLength: 3 }),
  repetitionPenalty: fc.constantFrom(1, 1, 1.25, 2, 0.5),
  frequencyPenalty: fc.constantFrom(0, 0.5, -0.25),
  presencePenalty: fc.constantFrom(0, 0.75),
});

/** The adjustments over a whole copy, rule by rule. */
function adjustedPlainly(logits: Float32Array, p: SamplingParameters, state: SamplingState): Float32Array {
  const out = logits.slice();
  const update = (id: number, change: (logit: number) => number) => {
    const logit = out[id];
    if (logit !== undefined) out[id] = change(logit);
  };
  for (const id of state.banned) update(id, () => Number.NEGATIVE_INFINITY);
  for (const [id, bias] of p.logitBias) update(id, (logit) => logit + bias);
  for (const id of new Set([...state.promptTokenIds, ...state.generatedCounts.keys()])) {
    update(id, (logit) => (logit > 0 ? logit / p.repetitionPenalty : logit * p.repetitionPenalty));
  }
  for (const [id, count] of state.generatedCounts) {
    update(id, (logit) => logit - count * p.frequencyPenalty - p.presencePenalty);
  }
  return out;
}

/** Every token in order, walked one by one. */
function sampleBySorting(logits: Float32Array, p: Truncation, u: number): number {
  const order = [...logits.keys()].filter((id) => logits[id] !== Number.NEGATIVE_INFINITY);
  order.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  const largest = logits[order[0] ?? 0] ?? 0;
  const weight = (id: number | undefined) => Math.exp(((logits[id ?? 0] ?? 0) - largest) / p.temperature);
  let kept = order.filter((id, rank) => weight(id) >= p.minP && (p.topK === 0 || rank < p.topK));
  const mass = (ids: readonly number[]) => ids.reduce((sum, id) => sum + weight(id), 0);
  if (p.topP < 1) {
    const wanted = p.topP * mass(kept);
    let before = 0;
    kept = kept.filter((id, rank) => {
      const keep = rank === 0 || before < wanted;
      before += weight(id);
      return keep;
    });
  }
  const target = u * mass(kept);
  let cumulative = 0;
  for (const id of kept) {
    cumulative += weight(id);
    if (cumulative > target) return id;
  }
  return kept.at(-1) ?? -1;
}

describe('sampling', () => {
  it('gives the same token from the largest logits as from the whole row, whenever they settle it', () => {
    let settled = 0;
    let total = 0;
    fc.assert(
      fc.property(logitsArbitrary, truncationArbitrary, uniformArbitrary, (logits, truncation, u) => {
        const row = rowOf(logits);
        const quick = sampleFromHead(headOf(row), truncation, u);
        total++;
        if (quick === null) return;
        settled++;
        expect(quick).toBe(sampleFromFull(row.full(), truncation, u));
      }),
      { numRuns: 3000 },
    );
    // the quick way must be of use, and must sometimes be refused
    expect(settled / total).toBeGreaterThan(0.3);
    expect(settled / total).toBeLessThan(1);
  });

  it('gives the same token from the head of an adjusted row as from the whole row, whenever it settles it', () => {
    let settled = 0;
    let total = 0;
    // every other run has more candidates in the head than one touches, as in practice
    fc.assert(
      fc.property(
        logitsArbitrary,
        truncationArbitrary,
        uniformArbitrary,
        adjustmentArbitrary,
        fc.constantFrom(8, 30),
        (logits, truncation, u, { seen, said, banned, bias, ...penalties }, topCount) => {
          const inRow = (ids: readonly number[]) => ids.map((id) => id % logits.length);
          const row = rowOf(logits, topCount);
          const sampling = { ...neutral, ...truncation, ...penalties, logitBias: new Map(bias) };
          const state = {
            promptTokenIds: new Set(inRow(seen)),
            generatedCounts: new Map(inRow(said).map((id) => [id, 1 + (id % 3)])),
            banned: inRow(banned),
          };
          const whole = row.full();
          const adjusted = adjustLogits(whole, sampling, state);
          const expected = applyAdjustments(whole, adjusted);
          expect(expected).toEqual(adjustedPlainly(whole, sampling, state));
          const quick = sampleFromHead(adjustedHead(row, whole, adjusted), sampling, u);
          total++;
          if (quick === null) return;
          settled++;
          expect(quick).toBe(sampleFromFull(expected, sampling, u));
        },
      ),
      { numRuns: 4000 },
    );
    expect(settled / total).toBeGreaterThan(0.3);
    expect(settled / total).toBeLessThan(1);
  });

  it('chooses from a whole vocabulary as sorting it would', () => {
    const random = (seed: number) => (index: number) => uniform(seed, index);
    for (let seed = 0; seed < 60; seed++) {
      const draw = random(seed);
      const spread = [0.5, 3, 40][seed % 3] ?? 1;
      // logits of 1/8 are tied by the dozen; finer ones nearly never
      const step = seed % 2 === 0 ? 1 / 8 : 1e-5;
      const logits = Float32Array.from({ length: 5000 }, (_, id) =>
        id % 97 === 5
          ? Number.NEGATIVE_INFINITY
          : Math.round(((draw(id) + draw(id + 5000) + draw(id + 10_000) - 1.5) * spread) / step) * step,
      );
      const truncation = {
        temperature: [0.01, 0.7, 1, 1.5, 100][seed % 5] ?? 1,
        topP: [1, 0.95, 0.3][seed % 3] ?? 1,
        topK: [0, 0, 0, 40, 4900][(seed >> 1) % 5] ?? 0,
        minP: [0, 0, 0.01][(seed >> 2) % 3] ?? 0,
      };
      for (let index = 0; index < 8; index++) {
        const u = draw(20_000 + index);
        expect(sampleFromFull(logits, truncation, u)).toBe(sampleBySorting(logits, truncation, u));
      }
    }
  });

  it('would differ if the largest logits were believed where they settle nothing', () => {
    const flat = rowOf(new Array(60).fill(0));
    expect(sampleFromHead(headOf(flat), neutral, 0.99)).toBeNull();
    expect(sampleFromFull(flat.full(), neutral, 0.99)).toBe(59);
  });

  it('follows the definition of temperature, min_p, top_k and top_p', () => {
    fc.assert(
      fc.property(logitsArbitrary, truncationArbitrary, uniformArbitrary, (logits, truncation, u) => {
        if (truncation.temperature === 0) return;
        const chosen = sampleFromFull(Float32Array.from(logits), truncation, u);
        // whether the draw falls into the chosen token's share of the distribution
        const agrees = (topP: number) => {
          const kept = survivors(logits, { ...neutral, ...truncation, topP });
          const at = kept.findIndex((one) => one.id === chosen);
          const below = kept.slice(0, at).reduce((sum, one) => sum + one.probability, 0);
          return at >= 0 && u >= below - 1e-9 && u <= below + (kept[at]?.probability ?? 0) + 1e-9;
        };
        // where a token lies exactly on the border of top_p, rounding may decide either way
        const { topP } = truncation;
        expect(agrees(topP) || (topP < 1 && (agrees(topP - 1e-9) || agrees(topP + 1e-9)))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('draws in proportion to the probabilities', () => {
    const row = rowOf([Math.log(1), Math.log(2), Math.log(5), Math.log(2)]);
    const counts = [0, 0, 0, 0];
    const draws = 20_000;
    for (let index = 0; index < draws; index++) {
      const id = sampleToken(row, neutral, nothingSeen, index);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    // five standard deviations
    [0.1, 0.2, 0.5, 0.2].forEach((probability, id) => {
      const sigma = Math.sqrt((probability * (1 - probability)) / draws);
      expect(Math.abs((counts[id] ?? 0) / draws - probability)).toBeLessThan(5 * sigma);
    });
  });

  it('is greedy at temperature 0, ties going to the lowest id', () => {
    const greedy = { ...neutral, temperature: 0 };
    expect(sampleToken(rowOf([1, 7, 7, 7]), greedy, nothingSeen, 0)).toBe(1);
    const reversed = { ...rowOf([1, 7, 7, 7]), topTokenIds: Int32Array.of(3, 2, 1, 0) };
    expect(sampleToken(reversed, greedy, nothingSeen, 0)).toBe(1);
    expect(sampleFromFull(Float32Array.of(1, 7, 7), { ...greedy }, 0)).toBe(1);
  });

  it('keeps exactly k at ties, those of lowest id', () => {
    const truncation = { ...neutral, topK: 2 };
    const seen = new Set(
      Array.from({ length: 200 }, (_, index) => sampleToken(rowOf([3, 3, 3, 3]), truncation, nothingSeen, index)),
    );
    expect([...seen].sort()).toEqual([0, 1]);
  });

  it('works with temperatures near 0 and very high, and with −∞ logits', () => {
    const row = rowOf([0, Number.NEGATIVE_INFINITY, 1, -1]);
    for (const temperature of [1e-6, 5e-324]) {
      expect(sampleToken(row, { ...neutral, temperature }, nothingSeen, 0)).toBe(2);
      expect(sampleFromFull(row.full(), { ...neutral, temperature }, 0.5)).toBe(2);
    }
    for (let index = 0; index < 300; index++) {
      expect(sampleToken(row, { ...neutral, temperature: 1e6 }, nothingSeen, index)).not.toBe(1);
    }
  });
});

describe('adjustments', () => {
  const greedy = { ...neutral, temperature: 0 };

  it('penalise repetition of prompt and reply once, dividing positive and multiplying negative logits', () => {
    const seen = { ...nothingSeen, promptTokenIds: new Set([0]), generatedCounts: new Map([[0, 2]]) };
    // 4 / 1.5 = 2.67 < 3, and were it applied twice 1.78 < 2
    expect(sampleToken(rowOf([4, 3, 2]), { ...greedy, repetitionPenalty: 1.5 }, seen, 0)).toBe(1);
    expect(sampleToken(rowOf([4, 2, 2]), { ...greedy, repetitionPenalty: 1.5 }, seen, 0)).toBe(0);
    expect(sampleToken(rowOf([-1, -1.4]), { ...greedy, repetitionPenalty: 1.5 }, seen, 0)).toBe(1);
  });

  it('count generated tokens for frequency, their presence for presence, and leave the prompt alone', () => {
    const prompt = { ...nothingSeen, promptTokenIds: new Set([0]) };
    const reply = { ...nothingSeen, generatedCounts: new Map([[0, 3]]) };
    for (const penalty of [{ frequencyPenalty: 0.5 }, { presencePenalty: 1.5 }]) {
      expect(sampleToken(rowOf([4, 2.6]), { ...greedy, ...penalty }, prompt, 0)).toBe(0);
      expect(sampleToken(rowOf([4, 2.6]), { ...greedy, ...penalty }, reply, 0)).toBe(1);
      expect(sampleToken(rowOf([4, 2.4]), { ...greedy, ...penalty }, reply, 0)).toBe(0);
    }
  });

  it('apply bias before penalties, and bans before all', () => {
    // (1 + 3) / 2 = 2 loses against 2.1; 1/2 + 3 = 3.5 would win
    const sampling = { ...greedy, logitBias: new Map([[0, 3]]), repetitionPenalty: 2 };
    const state = { ...nothingSeen, promptTokenIds: new Set([0]) };
    expect(sampleToken(rowOf([1, 2.1]), sampling, state, 0)).toBe(1);
    expect(
      sampleToken(rowOf([9, 2]), { ...greedy, logitBias: new Map([[0, 100]]) }, { ...nothingSeen, banned: [0] }, 0),
    ).toBe(1);
  });

  it('leave the row itself untouched', () => {
    const row = rowOf([4, 3, 2]);
    sampleToken(row, { ...neutral, logitBias: new Map([[1, 50]]) }, nothingSeen, 0);
    expect([...row.full()]).toEqual([4, 3, 2]);
  });

  it('refuse when nothing is left to choose', () => {
    expect(() => sampleToken(rowOf([1, 2]), neutral, { ...nothingSeen, banned: [0, 1] }, 0)).toThrow(
      /Every token is banned/,
    );
  });
});

describe('isFiniteRow', () => {
  it('sees NaN and infinity anywhere in the row', () => {
    expect(isFiniteRow(rowOf([1, 2, Number.NEGATIVE_INFINITY]))).toBe(true);
    expect(isFiniteRow(rowOf([1, Number.NaN, 2]))).toBe(false);
    expect(isFiniteRow(rowOf([1, Number.POSITIVE_INFINITY]))).toBe(false);
    expect(isFiniteRow(rowOf([Number.NEGATIVE_INFINITY]))).toBe(false);
  });
});

describe('uniform', () => {
  it('is a function of seed and index alone, in [0, 1)', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.nat(), (seed, index) => {
        const draw = uniform(seed, index);
        expect(draw).toBe(uniform(seed, index));
        expect(draw >= 0 && draw < 1).toBe(true);
      }),
    );
  });

  it('is even over indices, and unrelated between neighbouring seeds and indices', () => {
    const count = 20_000;
    const bins = new Array<number>(20).fill(0);
    let products = [0, 0];
    for (let index = 0; index < count; index++) {
      const draw = uniform(7, index);
      const bin = Math.floor(draw * 20);
      bins[bin] = (bins[bin] ?? 0) + 1;
      products = [
        (products[0] ?? 0) + (draw - 0.5) * (uniform(8, index) - 0.5),
        (products[1] ?? 0) + (draw - 0.5) * (uniform(7, index + 1) - 0.5),
      ];
    }
    const chiSquare = bins.reduce((sum, seen) => sum + (seen - count / 20) ** 2 / (count / 20), 0);
    expect(chiSquare).toBeLessThan(50); // 19 degrees of freedom: p < 0.0002
    for (const product of products) expect(Math.abs(product / count) * 12).toBeLessThan(5 / Math.sqrt(count));
  });

  it('keeps its values from release to release, so that recorded seeds repeat', () => {
    expect([uniform(0, 0), uniform(42, 3), uniform(-1, 0)]).toMatchInlineSnapshot(`
      [
        0.6524484863740322,
        0.06735789320333596,
        0.3662420901697574,
      ]
    `);
  });
});
