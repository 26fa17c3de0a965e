import { i32, instantiate, type ModuleMemory, unsigned, v128 } from './wasm.ts';

/** Numbers of a row, one byte each. */
export const rowNumbers = 384;
const laneBytes = 16;

const [localGet, localSet, localTee, i32Const] = [0x20, 0x21, 0x22, 0x41] as const;
const [i32Load, i32Store, i32Add, i32Multiply, i32Subtract] = [0x28, 0x36, 0x6a, 0x6c, 0x6b] as const;
const [loop, branchIf, end, block, equalsZero, noResult] = [0x03, 0x0d, 0x0b, 0x02, 0x45, 0x40] as const;
const simd = 0xfd;
const v128Load = [simd, 0x00] as const;
const v128Zero = [simd, 0x0c, ...Array<number>(laneBytes).fill(0)] as const;
const extendLow = [simd, 0x87, 0x01] as const;
const extendHigh = [simd, 0x88, 0x01] as const;
const dotPairs = [simd, 0xba, 0x01] as const;
const addLanes = [simd, 0xae, 0x01] as const;
const extractLane = [simd, 0x1b] as const;
const [places, count, rows, out, row, low, high, bytes] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const firstPages = 1;

export interface DotModule {
  readonly memory: ModuleMemory;
  /**
   * Inner products of the query (384 16-bit integers at address 0) and rows of 384 8-bit integers. The rows' numbers, 32 bits each,
   * lie at `places`, the rows from `rows` on; a 32-bit sum each goes to `out`.
   */
  dots(places: number, count: number, rows: number, out: number): void;
}

/** Sixteen products at a time. 384 products of 16 and 8 bits fit 32 bits. */
export function createDotModule(): DotModule {
  return instantiate<DotModule>(
    {
      name: 'dots',
      parameters: [i32, i32, i32, i32],
      results: [],
      locals: [
        [1, i32],
        [3, v128],
      ],
      body: body(),
    },
    firstPages,
  );
}

function body(): number[] {
  const products = Array.from({ length: rowNumbers / laneBytes }, (_, lane) => [
    ...[localGet, row, ...v128Load, 0, ...unsigned(lane * laneBytes), localTee, bytes],
    ...[...extendLow, i32Const, 0, ...v128Load, 0, ...unsigned(lane * 2 * laneBytes), ...dotPairs],
    ...[localGet, low, ...addLanes, localSet, low],
    ...[localGet, bytes, ...extendHigh, i32Const, 0, ...v128Load, 0, ...unsigned((lane * 2 + 1) * laneBytes)],
    ...[...dotPairs, localGet, high, ...addLanes, localSet, high],
  ]);
  const lane = (at: number) => [localGet, low, ...extractLane, at];
  return [
    ...[block, noResult, localGet, count, equalsZero, branchIf, 0],
    ...[loop, noResult],
    ...[localGet, places, i32Load, 2, 0, i32Const, ...signed(rowNumbers), i32Multiply, localGet, rows, i32Add],
    ...[localSet, row, ...v128Zero, localSet, low, ...v128Zero, localSet, high],
    ...products.flat(),
    ...[localGet, low, localGet, high, ...addLanes, localSet, low],
    ...[localGet, out, ...lane(0), ...lane(1), i32Add, ...lane(2), i32Add, ...lane(3), i32Add, i32Store, 2, 0],
    ...[localGet, places, i32Const, 4, i32Add, localSet, places],
    ...[localGet, out, i32Const, 4, i32Add, localSet, out],
    ...[localGet, count, i32Const, 1, i32Subtract, localSet, count],
    ...[localGet, count, branchIf, 0],
    ...[end, end],
  ];
}

/** LEB128 of a number with a sign: the last byte's second bit is the sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}
