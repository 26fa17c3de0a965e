import { describe, expect, it } from 'vitest';
import { cachedHeadDim } from '../../../engine/core/index.ts';
import { tokenBytesOf } from '../../../engine/model-needs.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import {
  familyGolden,
  familyModel,
  familyRow,
  largestDifference,
  logitsDifference,
  runInChunks,
} from '../../harness/families.ts';
import { temporaryCache, testKernels } from '../../harness/kernels.ts';

const cacheDirectory = await temporaryCache('tiller-narrow-heads-');
const kernels = await testKernels();

describe('heads that are no whole vectors', () => {
  it('stand in the cache filled up', () => {
    expect([16, 20, 64, 100, 128, 4].map((headDim) => cachedHeadDim({ headDim }))).toEqual([16, 32, 64, 112, 128, 16]);
  });

  it.runIf(kernels !== null)(
    'are right with keys and values in half precision, and copied from slot to slot',
    async () => {
      const model = await familyModel('llama_narrow', cacheDirectory);
      const how = { slots: 2, context: 48, threads: 1, kernels, keyValueType: 'float16' } as const;
      const executor = await openExecutor({ ...model, ...how });
      try {
        const [, long] = familyGolden('llama_narrow').cases;
        if (!long) throw new Error('the fixture has no long prompt');
        const whole = await runInChunks(executor, long.ids, 5);
        // 11 bits of keys and values: not exact, and near enough to tell it from any mistake in where they stand
        expect(logitsDifference(whole, long)).toBeLessThan(5e-2);
        expect(executor.tokenBytes).toBe(2 * 2 * 2 * 32 * 2);
        expect(executor.tokenBytes).toBe(tokenBytesOf(model.config, 'float16'));
        await executor.copySlot(0, 1, long.ids.length - 1);
        const last = familyRow(1, long.ids.slice(-1), long.ids.length - 1);
        const [copied] = await executor.run({ kind: 'decode', rows: [last] });
        const want = whole.logits.at(-1) ?? new Float32Array();
        expect(largestDifference(copied?.logits[0]?.full() ?? new Float32Array(), want)).toBeLessThan(1e-4);
      } finally {
        await executor.close();
      }
    },
  );
});
