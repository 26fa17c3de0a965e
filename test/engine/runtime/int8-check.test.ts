import { expect, it } from 'vitest';
import { choosePrecision } from '../../../engine/precision.ts';
import { checkInt8 } from '../../../engine/runtime/index.ts';
import { testKernels } from '../../harness/kernels.ts';

it('finds 8-bit products exact or says that they are not, and measures them', async () => {
  const kernels = await testKernels();
  for (const form of [null, 'tiles4m', 'tiles16'] as const) {
    for (const check of [await checkInt8(1, { kernels, form }), await checkInt8(1, { kernels: null, form })]) {
      expect(check.speedUp).toBeGreaterThan(0);
      // Where this fails, int8 is refused (engine/precision.ts) and the tests of precisions cannot run either.
      expect(check.exact).toBe(true);
    }
  }
});

it('chooses int8 only where it is exact and worthwhile, and rounds nothing where weights are read as they are', () => {
  const stored = { asItIs: false, hasBlocks: true };
  expect(choosePrecision({ exact: true, speedUp: 3 }, stored)).toBe('int8');
  expect(choosePrecision({ exact: true, speedUp: 3 }, { asItIs: true, hasBlocks: true })).toBe('int8');
  expect(choosePrecision({ exact: true, speedUp: 1.1 }, { asItIs: true, hasBlocks: true })).toBe('f32');
  expect(choosePrecision({ exact: false, speedUp: 3 }, stored)).toBe('blocks');
  expect(choosePrecision({ exact: true, speedUp: 1.1 }, { asItIs: false, hasBlocks: false })).toBe('f32');
});
