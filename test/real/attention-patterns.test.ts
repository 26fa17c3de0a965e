import { expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { loadModel } from '../../engine/load-model.ts';
import { CheckedRows } from '../harness/checked-patterns.ts';
import { testCache } from '../harness/default-model.ts';
import { goldenModel } from '../harness/golden.ts';
import { roundedToHalf } from '../harness/half.ts';

/** Keys and values are kept in half precision beside weights of 8 bits. */
it.each([
  ['f32', (value: number) => value],
  ['int8', roundedToHalf],
] as const)(
  'the default model in %s: scores, pattern and values give z, in every block',
  async (precision, rounded) => {
    const { path } = await acquireModel('smollm2-135m-instruct', { cacheDirectory: testCache });
    const how = { cacheDirectory: testCache, slots: 3, context: 512, threads: 2, precision } as const;
    const { executor, config } = await loadModel({ path, ...how });
    try {
      const { forward } = goldenModel();
      const ids = [...(forward.find((one) => one.ids.length > 200)?.ids ?? [])];
      const rows = new CheckedRows(executor, config, rounded);
      const lengths = [62, 7, 30];
      for (const [slot, length] of lengths.entries()) await rows.prefill(slot, ids.slice(0, length));
      for (let step = 0; step < 3; step++) {
        await rows.decode(lengths.map((length) => ({ id: ids[length + step] ?? 0, start: length + step })));
      }
      expect(rows.checked).toBe(lengths.reduce((sum, length) => sum + length + 3, 0) * config.blocks * config.heads);
      expect(rows.differences.filter((one) => !(one < 1e-4))).toEqual([]);
    } finally {
      await executor.close();
    }
  },
);
