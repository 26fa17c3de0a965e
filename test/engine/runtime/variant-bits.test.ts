import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../engine/core/index.ts';
import { editableHookPoints } from '../../../engine/graph/hook-points.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { testKernels } from '../../harness/kernels.ts';
import { tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const ids = Int32Array.from({ length: 21 }, (_, at) => (at * 37 + 5) % tinyConfig.vocabularySize);
const site = 'blocks.0.hook_resid_post';
const edit: Edit = {
  hookPoint: site,
  read: null,
  coefficient: { beta: 0.5, gamma: 0, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
  write: Float32Array.from({ length: tinyConfig.dModel }, (_, at) => Math.sin(at)),
  positions: 'all',
  skipSpecial: false,
  activeAbove: Number.NEGATIVE_INFINITY,
  sinkNorm: Number.POSITIVE_INFINITY,
};
const how = { config: tinyConfig, weights: writeTinyWeights(), slots: 1, context: 64, threads: 1 };

/** Logits of a step that is steered at one hook point, by a variant that opens these. */
async function logits(open: readonly string[]): Promise<number[]> {
  const executor = await openExecutor({ ...how, kernels: await testKernels() });
  await executor.prepare({ edits: [...open], taps: [] });
  const edits = [{ edit, mask: new Float32Array(ids.length).fill(1) }];
  const row = { requestId: 'a', slot: 0, tokens: ids, start: 0, taps: [], edits, logits: 'last' as const };
  const [result] = await executor.run({ kind: 'prefill', rows: [row] });
  const made = [...(result?.logits[0]?.full() ?? [])];
  await executor.close();
  return made;
}

describe('the same step with own operators', () => {
  it('has the same bits whatever hook points its variant opens', async () => {
    const narrow = await logits([site]);
    expect(new Set(narrow).size).toBeGreaterThan(1);
    const all = editableHookPoints(tinyConfig);
    expect(await logits(all)).toEqual(narrow);
  });
});
