import { expect, it } from 'vitest';
import type { Edit, RowStep } from '../../../engine/core/index.ts';
import { editableHookPoints } from '../../../engine/graph/index.ts';
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
import { randomNumbers } from '../../harness/tiny-model.ts';

const cacheDirectory = await temporaryCache('tiller-family-edits-');
const sets = await operatorSets();

function addition(hookPoint: string, write: Float32Array): Edit {
  return {
    hookPoint,
    read: null,
    coefficient: { beta: 1, gamma: 0, low: -Infinity, high: Infinity },
    write,
    positions: 'all',
    skipSpecial: false,
    activeAbove: -Infinity,
    sinkNorm: Infinity,
  };
}

/** Logits of the last token and the streams after every place, with a direction added at one of them (null: nowhere). */
async function runs(folder: FamilyFolder, kernels: string | null) {
  const model = await familyModel(folder, cacheDirectory);
  const places = editableHookPoints(model.config);
  const [, long] = familyGolden(folder).cases as [FamilyCase, FamilyCase];
  const next = randomNumbers(5);
  const direction = Float32Array.from({ length: model.config.dModel }, () => 2 * next());
  const executor = await openExecutor({ ...model, slots: 1, context: 48, threads: 1, kernels, maxChunk: 48 });
  const results: { readonly logits: Float32Array; readonly taps: ReadonlyMap<string, Float32Array> }[] = [];
  try {
    for (const place of [null, ...places]) {
      const mask = new Float32Array(long.ids.length).fill(1);
      const edits: RowStep['edits'] = place === null ? [] : [{ edit: addition(place, direction), mask }];
      const [result] = await executor.run({
        kind: 'prefill',
        rows: [{ ...familyRow(0, long.ids, 0, places), edits }],
      });
      const logits = result?.logits[0]?.full().slice() ?? new Float32Array();
      results.push({ logits, taps: new Map(result?.taps) });
    }
  } finally {
    await executor.close();
  }
  return { places, direction, results };
}

it.each(familyFolders)('%s: an edit at any place of the stream is in it from there on', async (folder) => {
  const all = [];
  for (const { kernels } of sets) all.push(await runs(folder, kernels));
  const [own, other] = all;
  if (!own || !other) throw new Error('two operator sets are compared');
  const [plain, ...edited] = own.results;
  for (const [at, { logits, taps }] of edited.entries()) {
    const place = own.places[at] as string;
    const before = plain?.taps.get(place) ?? new Float32Array();
    const shifted = before.map((value, i) => value + (own.direction[i % own.direction.length] ?? 0));
    expect(largestDifference(taps.get(place) ?? before, shifted), place).toBeLessThan(1e-4);
    for (const earlier of own.places.slice(0, at)) {
      const untouched = plain?.taps.get(earlier) ?? before;
      expect(largestDifference(taps.get(earlier) ?? before, untouched), `${earlier} with ${place}`).toBeLessThan(1e-5);
    }
    expect(largestDifference(logits, plain?.logits ?? logits), place).toBeGreaterThan(1e-2);
    expect(largestDifference(logits, other.results[at + 1]?.logits ?? logits), place).toBeLessThan(1e-4);
  }
});
