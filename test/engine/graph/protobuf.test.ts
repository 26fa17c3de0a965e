import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../engine/graph/protobuf.ts';

/** A varint as https://protobuf.dev/programming-guides/encoding/ says it, with BigInt throughout. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

describe('protobuf fields', () => {
  it('hold integers of any size', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, 127, 128, 2 ** 31 - 1, 2 ** 31, -1)), (value) => {
        expect([...new ProtobufWriter().integer(3, value).finish()]).toEqual([24, ...varint(BigInt(value))]);
      }),
    );
  });

  it('hold any text in UTF-8, one after the other', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.string({ unit: 'binary' }))), (texts) => {
        const writer = new ProtobufWriter(1);
        for (const text of texts) writer.string(1, text);
        const expected = texts.flatMap((text) => {
          const bytes = [...Buffer.from(text)];
          return [10, ...varint(BigInt(bytes.length)), ...bytes];
        });
        expect([...writer.finish()]).toEqual(expected);
      }),
    );
    const long = 'é'.repeat(100);
    expect(new ProtobufWriter().string(1, long).finish()).toHaveLength(1 + 2 + 200);
  });
});
