import { expect, it } from 'vitest';
import { choosePrecision } from '../../../engine/precision.ts';
import { checkInt8 } from '../../../engine/runtime/index.ts';

it('finds 8-bit products exact or says that they are not, and measures them', async () => {
  const check = await checkInt8(1);
  expect(check.speedUp).toBeGreaterThan(0);
  // Where this fails, int8 is refused (engine/precision.ts) and the tests of precisions cannot run either.
  expect(check.exact).toBe(true);
});

it('chooses int8 only where it is exact and worthwhile', () => {
  expect(choosePrecision({ exact: true, speedUp: 3 }, true)).toBe('int8');
  expect(choosePrecision({ exact: false, speedUp: 3 }, true)).toBe('blocks');
  expect(choosePrecision({ exact: true, speedUp: 1.1 }, false)).toBe('f32');
});
