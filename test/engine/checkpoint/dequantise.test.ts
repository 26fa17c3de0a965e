import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dequantise } from '../../../engine/checkpoint/dequantise.ts';

/** float16 bits from their definition in IEEE 754, without a table. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const magnitude = exponent === 0 ? (bits & 1023) / 2 ** 24 : ((bits & 1023) + 1024) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

const finiteHalf = fc.nat(0xffff).filter((bits) => ((bits >> 10) & 31) !== 31);
const halfBytes = (bits: number) => [bits & 255, bits >> 8];

describe('dequantise', () => {
  it('F16: known bit patterns', () => {
    const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e00];
    const into = new Float32Array(bits.length);
    dequantise('F16', Uint8Array.from(bits.flatMap(halfBytes)), into);
    const expected = [0, -0, 1, -2, 65_504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, Infinity, -Infinity, NaN];
    expect([...into]).toEqual(expected);
  });

  it('BF16: known bit patterns', () => {
    const into = new Float32Array(3);
    dequantise('BF16', Uint8Array.of(0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40), into);
    expect([...into]).toEqual([1, -2, 3.140625]);
  });

  it('Q4_1: x = d·q + m, low nibbles first', () => {
    const block = fc.tuple(finiteHalf, finiteHalf, fc.uint8Array({ minLength: 16, maxLength: 16 }));
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 3 }), (blocks) => {
        const bytes = Uint8Array.from(blocks.flatMap(([d, m, q]) => [...halfBytes(d), ...halfBytes(m), ...q]));
        const into = new Float32Array(blocks.length * 32);
        dequantise('Q4_1', bytes, into);
        const expected = blocks.flatMap(([d, m, q]) =>
          [...[...q].map((pair) => pair % 16), ...[...q].map((pair) => Math.floor(pair / 16))].map((quantum) =>
            Math.fround(Math.fround(half(d) * quantum) + half(m)),
          ),
        );
        expect(into).toEqual(Float32Array.from(expected));
      }),
    );
  });

  it('Q8_0: x = d·q', () => {
    const block = fc.tuple(finiteHalf, fc.int8Array({ minLength: 32, maxLength: 32 }));
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 3 }), (blocks) => {
        const bytes = Uint8Array.from(blocks.flatMap(([d, q]) => [...halfBytes(d), ...Uint8Array.from(q)]));
        const into = new Float32Array(blocks.length * 32);
        dequantise('Q8_0', bytes, into);
        expect(into).toEqual(Float32Array.from(blocks.flatMap(([d, q]) => [...q].map((quantum) => half(d) * quantum))));
      }),
    );
  });
});
