import { i32, i64, instantiate, type ModuleMemory, unsigned } from './wasm.ts';

/** 64-bit words of a row. */
const words = 6;
export const rowBytes = words * 8;
/** Bits of what is given out that hold the count; the place lies above them. */
export const countBits = 9;

const [localGet, localSet, i64Const, i32Const] = [0x20, 0x21, 0x42, 0x41] as const;
const [i64Load, i32Store] = [0x29, 0x36] as const;
const [i32Add, i32ShiftLeft, i32Or, i32AtMost, i32Below] = [0x6a, 0x74, 0x72, 0x4d, 0x49] as const;
const [i64Add, i64Xor, i64Popcnt, i32WrapI64] = [0x7c, 0x85, 0x7b, 0xa7] as const;
const [loop, branchIf, end, block, equalsZero, noResult] = [0x03, 0x0d, 0x0b, 0x02, 0x45, 0x40] as const;
const [row, count, limit, out, firstQueryWord, place, differing] = [0, 1, 2, 3, 4, 10, 11] as const;
const firstPages = 3;

export interface HammingModule {
  readonly memory: ModuleMemory;
  /**
   * Of `count` rows from address `row`, those that differ from the query in at most `limit` bits: their places from 0 and their
   * counts, `place << 9 | count`, 32 bits each, from `out`; the address after the last. There must be room for one more than
   * there are rows. The query's six words lie at address 0.
   */
  near(row: number, count: number, limit: number, out: number): number;
}

/**
 * Counts the differing bits of a query and many rows of 384 bits: six 64-bit words a row, each one exclusive-or and one population
 * count, which JavaScript's numbers cannot do. A million rows take some 5 ms.
 */
export function createHammingModule(): HammingModule {
  return instantiate<HammingModule>(
    {
      name: 'near',
      parameters: [i32, i32, i32, i32],
      results: [i32],
      locals: [
        [words, i64],
        [2, i32],
      ],
      body: body(),
    },
    firstPages,
  );
}

function body(): number[] {
  const queryWords = Array.from({ length: words }, (_, word) => [
    ...[i32Const, 0, i64Load, 3, ...unsigned(word * 8)],
    ...[localSet, firstQueryWord + word],
  ]);
  const differences = Array.from({ length: words }, (_, word) => [
    ...[localGet, row, i64Load, 3, ...unsigned(word * 8)],
    ...[localGet, firstQueryWord + word, i64Xor, i64Popcnt, i64Add],
  ]);
  return [
    ...[block, noResult, localGet, count, equalsZero, branchIf, 0],
    ...queryWords.flat(),
    ...[loop, noResult],
    ...[i64Const, 0, ...differences.flat(), i32WrapI64, localSet, differing],
    // Written in any case, kept where it is within the limit: a branch would be guessed wrong too often.
    ...[localGet, out, localGet, place, i32Const, countBits, i32ShiftLeft, localGet, differing, i32Or, i32Store, 2, 0],
    ...[
      localGet,
      out,
      localGet,
      differing,
      localGet,
      limit,
      i32AtMost,
      i32Const,
      2,
      i32ShiftLeft,
      i32Add,
      localSet,
      out,
    ],
    ...[localGet, row, i32Const, rowBytes, i32Add, localSet, row],
    ...[localGet, place, i32Const, 1, i32Add, localSet, place],
    ...[localGet, place, localGet, count, i32Below, branchIf, 0],
    ...[end, end],
    ...[localGet, out],
  ];
}
