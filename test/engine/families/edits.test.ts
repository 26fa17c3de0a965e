import { expect, it } from 'vitest';
import { hookPointShapes, type RowStep, whyNotEditable } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import {
  type FamilyCase,
  type FamilyFolder,
  familyFolders,
  familyGolden,
  familyModel,
  familyRow,
  largestDifference,
} from '../../harness/families.ts';
import { operatorSets, temporaryCache } from '../../harness/kernels.ts';
import { editOf } from '../../harness/requests.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const cacheDirectory = await temporaryCache('tiller-family-edits-');
const sets = await operatorSets();

/** Logits of the last token and the values at every hook point, with a direction added at one of them (null: nowhere). */
async function runs(folder: FamilyFolder, kernels: string | null) {
  const model = await familyModel(folder, cacheDirectory);
  const shapes = hookPointShapes(model.config);
  const all = [...shapes.keys()];
  const places = all.filter((name) => whyNotEditable(name) === null);
  const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
  const ids = long.ids.slice(0, 11);
  const next = randomNumbers(5);
  const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1, kernels, maxChunk: 48 });
  const run = async (edits: RowStep['edits']) => {
    const [result] = await executor.run({ kind: 'prefill', rows: [{ ...familyRow(0, ids, 0, all), edits }] });
    const logits = result?.logits[0]?.full().slice() ?? new Float32Array();
    return { logits, taps: new Map(result?.taps) };
  };
  try {
    const plain = await run([]);
    const edited = [];
    for (const place of places) {
      const width = (plain.taps.get(place)?.length ?? 0) / ids.length;
      const direction = Float32Array.from({ length: width }, () => 2 * next());
      const mask = new Float32Array(ids.length).fill(1);
      edited.push({ place, direction, ...(await run([{ edit: editOf(1, 'all', place, direction), mask }])) });
    }
    return { all, plain, edited };
  } finally {
    await executor.close();
  }
}

it.each(familyFolders)('%s: an edit at any hook point is there, from there on, and nowhere before', async (folder) => {
  const [own, other] = [await runs(folder, sets[0].kernels), await runs(folder, sets[1].kernels)];
  expect(own.edited.length).toBeGreaterThan(20);
  for (const [at, { place, direction, logits, taps }] of own.edited.entries()) {
    const before = own.plain.taps.get(place) ?? new Float32Array();
    const shifted = before.map((value, i) => value + (direction[i % direction.length] ?? Number.NaN));
    expect(largestDifference(taps.get(place) ?? new Float32Array(), shifted), place).toBeLessThan(1e-4);
    for (const earlier of own.all.slice(0, own.all.indexOf(place))) {
      const untouched = own.plain.taps.get(earlier) ?? new Float32Array();
      const found = taps.get(earlier) ?? new Float32Array();
      expect(largestDifference(found, untouched), `${earlier} with ${place}`).toBeLessThan(1e-5);
    }
    // What is added to every key alike leaves a softmax as it is, unless keys are turned by their positions.
    const none = folder === 'gpt2' && place.endsWith('hook_k');
    const difference = largestDifference(logits, own.plain.logits);
    if (none) expect(difference, place).toBeLessThan(1e-4);
    else expect(difference, place).toBeGreaterThan(1e-3);
    expect(largestDifference(logits, other.edited[at]?.logits ?? new Float32Array()), place).toBeLessThan(1e-4);
  }
});

it('refuses edits where none can be made, with the way out', async () => {
  const model = await familyModel('llama3', cacheDirectory);
  const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1 });
  const prepare = (name: string) => executor.prepare({ edits: [name], taps: [] });
  try {
    for (const [name, words] of [
      ['blocks.0.ln1.hook_scale', 'hook_normalized'],
      ['blocks.1.attn.hook_rot_k', 'hook_k'],
      ['blocks.0.attn.hook_pattern', 'hook_z'],
      ['blocks.1.attn.hook_attn_scores', 'hook_q'],
    ] as const) {
      const refusal = { code: 'edit_not_applicable', message: expect.stringContaining(words) };
      await expect(prepare(name)).rejects.toMatchObject(refusal);
    }
    await expect(prepare('blocks.0.ln1_post.hook_normalized')).rejects.toMatchObject({ code: 'hook_point_not_found' });
  } finally {
    await executor.close();
  }
});
