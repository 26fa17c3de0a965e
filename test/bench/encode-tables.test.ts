import { describe, expect, it } from 'vitest';
import { encodeResults } from '../../bench/encode/results.ts';
import { encodeTable } from '../../bench/encode/tables.ts';
import { fixtures } from './fixture-results.ts';

const { machine, otherLoad, disturbedRounds } = fixtures.prefix;
const results = {
  ...{ machine, otherLoad, disturbedRounds },
  settings: { rounds: 3, threads: 2, tokens: 512, width: 576 },
  plain: [0.4, 0.5, 0.3],
  encoders: [
    { title: '4,096 features', outputs: 4096, seconds: [0.42, 0.52, 0.32] },
    { title: '65,536 features', outputs: 65_536, seconds: [0.6, 0.8, 0.5] },
  ],
  product: { outputs: 65_536, seconds: [0.1, 0.1, 0.4] },
};

describe('the table of encoding', () => {
  it('states what encoders add beside a plain product of the same sizes, round by round', () => {
    const table = encodeTable(encodeResults.parse(results));
    expect(table).toContain('| 65,536 features | 600 | 1.60 | 200 | 97 |');
    expect(table).toContain('float32 MatMul of 512 × 576 by 576 × 65,536 alone | 100 |  | 100 | 193 |');
    // 0.2 / 0.1, 0.3 / 0.1, 0.2 / 0.4
    expect(table).toContain('in the same round: 65,536 features: 2.00.');
  });

  it('says nothing of a product that was not measured', () => {
    const { product: _product, ...earlier } = results;
    expect(encodeResults.parse(earlier).product).toBeNull();
    expect(encodeTable(encodeResults.parse(earlier))).not.toMatch(/MatMul|plain product in/);
  });
});
