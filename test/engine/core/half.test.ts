import { describe, expect, it } from 'vitest';
import { largestHalf, toHalf } from '../../../engine/core/index.ts';
import { halfBits, numberOfHalf, roundedToHalf } from '../../harness/half.ts';

describe('float32 to float16', () => {
  it('keeps every float16 as it is', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits).filter(
      (bits) => !Number.isNaN(numberOfHalf(bits)),
    );
    expect(toHalf(Float32Array.from(all, numberOfHalf))).toEqual(all);
  });

  it('rounds to nearest, ties to even, at every size', () => {
    const values: number[] = [
      65519,
      65520,
      largestHalf,
      2 ** -25,
      1.0000001 * 2 ** -25,
      2 ** -24 * 1.5,
      2 ** -14 * 0.99999,
      Number.POSITIVE_INFINITY,
    ];
    for (let k = 0; k < 20_000; k++) values.push(Math.sin(k) * 2 ** ((k % 44) - 27));
    // halfway between two neighbours
    for (let bits = 0; bits < 0x7bff; bits += 37) values.push((numberOfHalf(bits) + numberOfHalf(bits + 1)) / 2);
    const singles = Float32Array.from(values.flatMap((value) => [value, -value]));
    const expected = Uint16Array.from(singles, (value) => halfBits(roundedToHalf(value)));
    const wrong = Array.from(toHalf(singles).entries()).filter(
      ([i, bits]) => numberOfHalf(bits) !== numberOfHalf(expected[i] as number),
    );
    expect(wrong).toEqual([]);
    expect(Number.isNaN(numberOfHalf(toHalf(Float32Array.of(Number.NaN))[0] as number))).toBe(true);
  });
});
