import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Executor, hookPointShapes, hookPointWidth, type Replacement } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const weights = writeTinyWeights();
const ids = Int32Array.from({ length: 20 }, (_, at) => (at * 37 + 5) % tinyConfig.vocabularySize);
const shapes = hookPointShapes(tinyConfig);
const places = [
  'blocks.0.hook_resid_pre',
  'blocks.0.hook_resid_mid',
  'blocks.0.hook_resid_post',
  'blocks.1.hook_resid_post',
  'blocks.0.mlp.hook_out',
  'blocks.1.attn.hook_z',
];

describe.each(await operatorSets())('values replaced with the operators of $operators', ({ kernels }) => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await openExecutor({ config: tinyConfig, weights, slots: 2, context: 64, threads: 1, kernels });
  });
  afterAll(() => executor.close());

  async function run(replacements: readonly Replacement[], taps: readonly string[] = [], size = ids.length) {
    await executor.prepare({ edits: [], taps, replaced: replacements.map(({ hookPoint }) => hookPoint) });
    const logits: number[][] = [];
    const tapped: number[] = [];
    for (let start = 0; start < ids.length; start += size) {
      const end = Math.min(ids.length, start + size);
      const row = {
        ...{ requestId: 'a', slot: 0, tokens: ids.slice(start, end), start, edits: [], taps, logits: 'all' as const },
        replacements: replacements.map(({ hookPoint, values, mask }) => {
          const width = values.length / mask.length;
          return { hookPoint, values: values.slice(start * width, end * width), mask: mask.slice(start, end) };
        }),
      };
      const [result] = await executor.run({ kind: 'prefill', rows: [row] });
      logits.push(...(result?.logits ?? []).map((each) => [...each.full()]));
      tapped.push(...(taps[0] ? (result?.taps.get(taps[0]) ?? []) : []));
    }
    return { logits, tapped };
  }

  const far = (a: readonly (readonly number[])[], b: readonly (readonly number[])[], t: number) =>
    Math.max(...(a[t] ?? []).map((value, i) => Math.abs(value - (b[t]?.[i] ?? Number.NaN))));

  it.each(places)(
    'changes nothing where its own values stand in for them, and what comes after where others do: %s',
    async (place) => {
      const width = hookPointWidth(shapes, place) ?? 0;
      const plain = await run([]);
      const { tapped } = await run([], [place]);
      const mask = new Uint8Array(ids.length).fill(1);
      const same = await run([{ hookPoint: place, values: Float32Array.from(tapped), mask }]);
      for (let t = 0; t < ids.length; t++) expect(far(same.logits, plain.logits, t)).toBeLessThan(2e-4);
      const next = randomNumbers(3);
      const values = Float32Array.from({ length: ids.length * width }, () => next() * 4);
      const some = mask.map((_, t) => Number(t === 7 || t === 12));
      for (const size of [ids.length, 6]) {
        const changed = await run([{ hookPoint: place, values, mask: some }], [place], size);
        for (let t = 0; t < 7; t++) expect(far(changed.logits, plain.logits, t)).toBeLessThan(2e-4);
        expect(far(changed.logits, plain.logits, 7)).toBeGreaterThan(1e-2);
        for (let at = 0; at < width; at++) {
          expect(changed.tapped[7 * width + at]).toBe(values[7 * width + at]);
          expect(changed.tapped[6 * width + at]).toBeCloseTo(tapped[6 * width + at] as number, 4);
        }
      }
    },
  );

  it('refuses what is not as long as its tokens, and places that cannot be replaced', async () => {
    const place = 'blocks.0.hook_resid_post';
    const short = { hookPoint: place, values: new Float32Array(32), mask: new Uint8Array(1) };
    const row = { requestId: 'a', slot: 0, tokens: ids, start: 0, edits: [], taps: [], logits: 'all' as const };
    await expect(executor.run({ kind: 'prefill', rows: [{ ...row, replacements: [short] }] })).rejects.toThrow(
      /as long as/,
    );
    const wide = { hookPoint: place, values: new Float32Array(20 * 31), mask: new Uint8Array(20) };
    await expect(executor.run({ kind: 'prefill', rows: [{ ...row, replacements: [wide] }] })).rejects.toThrow(/width/);
    await expect(
      executor.prepare({ edits: [], taps: [], replaced: ['blocks.0.ln1.hook_scale'] }),
    ).rejects.toMatchObject({
      code: 'edit_not_applicable',
    });
  });
});
