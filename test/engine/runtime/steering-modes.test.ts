import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ArrayReading,
  copyReading,
  type Edit,
  type EditTarget,
  type Executor,
  type PositionContext,
  type Positions,
  type ReadingValues,
  type RowStep,
  steeringModes,
} from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { applyEdits, compileEdits, createEditReporter, positionsMask } from '../../../engine/steering/index.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { modeNumbers } from '../../harness/mode-numbers.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const weights = writeTinyWeights();
/** Of the operator set that is being tested. */
let executor: Executor;

const { dModel, blocks, vocabularySize } = tinyConfig;
const random = randomNumbers(23);
const direction = (scale = 1) => Float32Array.from({ length: dModel }, () => random() * scale);
const tokens = Int32Array.from({ length: 17 }, () => Math.floor((random() + 0.5) * vocabularySize));
const promptLength = 13;
const context: PositionContext = {
  promptLength,
  assistantRanges: [[3, 6]],
  promptIsSpecial: Uint8Array.from({ length: promptLength }, (_, i) => (i % 4 === 1 ? 1 : 0)),
  specialTokenIds: new Set([tokens[15] as number]),
};

const sites = [
  'blocks.0.hook_resid_pre',
  'blocks.1.hook_resid_pre',
  'blocks.1.hook_resid_mid',
  'blocks.1.hook_resid_post',
];
const canonical = (site: string) => (site === 'blocks.1.hook_resid_pre' ? 'blocks.0.hook_resid_post' : site);
const positionSets: readonly Positions[] = [
  'all',
  'all_but_first',
  'prompt',
  'generated',
  'assistant',
  'last',
  { from: 4, to: 11 },
];

interface Run {
  readonly stream: Float32Array;
  readonly masks: readonly Float32Array[];
  /** Of each edit, over all tokens. */
  readonly readings: readonly ReadingValues[];
  readonly tokensReported: readonly number[];
}

/** Runs the prompt in chunks and then token by token, as the engine would, and puts the pieces together. */
async function run(site: string, edits: readonly Edit[]): Promise<Run> {
  const parts: { stream: Float32Array; masks: Float32Array[]; readings: ReadingValues[] }[] = [];
  const reporters = edits.map(createEditReporter);
  for (let start = 0, count = 0; start < tokens.length; start += count) {
    count = start < promptLength ? Math.min(executor.maxChunk, promptLength - start) : 1;
    const step = tokens.slice(start, start + count);
    const masks = edits.map((edit) => positionsMask(edit, context, start, step));
    const row: RowStep = {
      requestId: 'modes',
      slot: 1,
      tokens: step,
      start,
      logits: 'none',
      edits: edits.map((edit, k) => ({ edit, mask: masks[k] as Float32Array })),
      taps: [site],
    };
    const [result] = await executor.run({ kind: start < promptLength ? 'prefill' : 'decode', rows: [row] });
    if (!result) throw new Error('no result');
    for (const [k, reading] of result.readings.entries()) reporters[k]?.add(reading);
    parts.push({
      stream: result.taps.get(site) as Float32Array,
      masks,
      readings: result.readings.map((each) => copyReading(each).values),
    });
  }
  const join = (pick: (part: (typeof parts)[number]) => Float32Array) =>
    Float32Array.from(parts.flatMap((part) => [...pick(part)]));
  const reading = (k: number, key: keyof ReadingValues) => join((part) => (part.readings[k] as ReadingValues)[key]);
  return {
    stream: join((part) => part.stream),
    masks: edits.map((_, k) => join((part) => part.masks[k] as Float32Array)),
    readings: edits.map((_, k) => ({
      gate: reading(k, 'gate'),
      sink: reading(k, 'sink'),
      coefficient: reading(k, 'coefficient'),
      readingBefore: reading(k, 'readingBefore'),
      readingAfter: reading(k, 'readingAfter'),
      streamNorm: reading(k, 'streamNorm'),
    })),
    tokensReported: reporters.map((reporter) => reporter.report().tokens),
  };
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

/** Halfway between two norms that occur, so that some tokens are sinks. */
function sinkNormAmong(stream: Float32Array): number {
  const norms = Array.from(tokens, (_, t) => Math.hypot(...stream.subarray(t * dModel, (t + 1) * dModel)));
  norms.sort((a, b) => a - b);
  return ((norms[12] as number) + (norms[13] as number)) / 2;
}

function targetsAt(site: string, sinkNorm: number): EditTarget[] {
  const decoder = direction(1.5);
  // Some agreement between reading and writing, or pin is refused.
  const encoder = direction(0.5).map((value, i) => value + 0.3 * (decoder[i] as number));
  const feature = { kind: 'feature', id: 'toy/source/1', hookPoint: site, decoder, sinkNorm } as const;
  const statistics = { maxActivation: 2, streamNorm: 5 };
  return [
    { ...feature, ...statistics, encoder: { direction: encoder, bias: 0.2, threshold: 0.35 } },
    { kind: 'vector', id: 'inline', hookPoint: site, direction: direction(), streamNorm: 5 },
  ];
}

describe.each(await operatorSets())('with the operators of $operators', ({ kernels }) => {
  beforeAll(async () => {
    // Chunks of five: every position set below begins, ends or runs across a border.
    const options = { config: tinyConfig, weights, slots: 2, context: 48, threads: 1, maxChunk: 5 };
    executor = await openExecutor({ ...options, kernels });
  });
  afterAll(() => executor.close());

  describe.each(sites)('at %s the graph equals the reference arithmetic', (site) => {
    it.each(steeringModes)(
      'mode %s, every position set, features and vectors, together with another edit',
      async (mode) => {
        const plain = (await run(canonical(site), [])).stream;
        const targets = targetsAt(site, sinkNormAmong(plain));
        let written = 0;
        for (const [index, positions] of positionSets.entries()) {
          for (const target of targets) {
            const common = { positions, skipSpecial: index % 2 === 1, param: 'steering.edits[0]' };
            const onlyIfActive = target.kind === 'feature' && mode !== 'orthogonal' && index % 3 === 2;
            const beside = {
              kind: 'vector',
              id: 'other',
              hookPoint: site,
              direction: direction(),
              streamNorm: 5,
            } as const;
            const number = modeNumbers[mode];
            const specifications = [
              { ...common, target, mode, number, unit: number === null ? null : 'raw', onlyIfActive } as const,
              { ...common, target: beside, mode: 'add', number: 0.5, unit: 'raw', onlyIfActive: false } as const,
            ];
            // Alone, so that `pin` can be read back; then with a second edit, which must not change what the first reads.
            for (const chosen of [specifications.slice(0, 1), specifications]) {
              const edits = compileEdits(chosen, { dModel, blocks, maxEdits: 4, promptLength }).map(({ edit }) => edit);
              const got = await run(canonical(site), edits);
              const masked = edits.map((edit, k) => ({ edit, mask: got.masks[k] as Float32Array }));
              const want = applyEdits(plain, tokens.length, dModel, masked);
              const label = `${JSON.stringify(positions)}, ${target.kind}, ${edits.length} edits`;
              expect(largestDifference(got.stream, want.stream), label).toBeLessThan(2e-4);
              for (const [k, reading] of got.readings.entries()) {
                const expected = (want.readings[k] as ArrayReading).values;
                for (const key of Object.keys(expected) as (keyof ReadingValues)[]) {
                  expect(largestDifference(reading[key], expected[key]), `${key}, ${label}`).toBeLessThan(5e-4);
                }
                const touched = reading.gate.reduce((sum, gate) => sum + gate, 0);
                expect(got.tokensReported[k], label).toBe(touched);
                written += k === 0 ? touched : 0;
              }
              if (mode === 'pin' && edits.length === 1) {
                const { gate, readingAfter } = got.readings[0] as ReadingValues;
                for (const [t, g] of gate.entries()) {
                  if (g === 1)
                    expect(Math.abs((readingAfter[t] as number) - (number as number)), label).toBeLessThan(1e-4);
                }
              }
            }
          }
        }
        expect(written).toBeGreaterThan(30);
      },
    );
  });
});
