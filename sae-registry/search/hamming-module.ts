/**
 * A WebAssembly module of one function, which counts the differing bits of a query and many rows of 384 bits: six 64-bit words a
 * row, each one exclusive-or and one population count, which JavaScript's numbers cannot do. A million rows take some 10 ms.
 *
 *     (memory (export "memory") 3)
 *     (func (export "distances") (param $row i32) (param $count i32) (param $out i32))
 *
 * The query's six words lie at address 0; row after row, 48 bytes each, from $row; the counts go to $out, 16 bits each.
 */
const words = 6;
export const rowBytes = words * 8;

const i32 = 0x7f;
const i64 = 0x7e;
const [localGet, localSet, i64Const] = [0x20, 0x21, 0x42] as const;
const [i64Load, i32Store16, i32Const] = [0x29, 0x3b, 0x41] as const;
const [i32Add, i32Sub, i64Add, i64Xor, i64Popcnt, i32WrapI64] = [0x6a, 0x6b, 0x7c, 0x85, 0x7b, 0xa7] as const;
const [loop, branchIf, end, block, equalsZero, noResult] = [0x03, 0x0d, 0x0b, 0x02, 0x45, 0x40] as const;
const [row, count, out, firstQueryWord] = [0, 1, 2, 3] as const;
const pageBytes = 65_536;
const firstPages = 3;

export interface ModuleMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What is used of the global of this name, whose types come with a browser's only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

export interface HammingModule {
  readonly memory: ModuleMemory;
  distances(row: number, count: number, out: number): void;
}

export function createHammingModule(): HammingModule {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
  return instance.exports as HammingModule;
}

/** Makes the memory hold at least so many bytes. Views of it from before are of no use any more. */
export function growTo(memory: ModuleMemory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (missing > 0) memory.grow(missing);
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, ...vector([[i32], [i32], [i32]]), ...vector([])]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0x00, ...unsigned(firstPages)]])),
    ...section(
      7,
      vector([
        [...name('memory'), 0x02, 0],
        [...name('distances'), 0x00, 0],
      ]),
    ),
    ...section(10, vector([sized([...vector([[...unsigned(words), i64]]), ...body()])])),
  ]);
}

function body(): number[] {
  const queryWords = Array.from({ length: words }, (_, word) => [
    ...[i32Const, 0, i64Load, 3, ...unsigned(word * 8)],
    ...[localSet, firstQueryWord + word],
  ]);
  const differing = Array.from({ length: words }, (_, word) => [
    ...[localGet, row, i64Load, 3, ...unsigned(word * 8)],
    ...[localGet, firstQueryWord + word, i64Xor, i64Popcnt, i64Add],
  ]);
  return [
    ...[block, noResult, localGet, count, equalsZero, branchIf, 0],
    ...queryWords.flat(),
    ...[loop, noResult],
    ...[localGet, out, i64Const, 0, ...differing.flat(), i32WrapI64, i32Store16, 1, 0],
    ...[localGet, row, i32Const, rowBytes, i32Add, localSet, row],
    ...[localGet, out, i32Const, 2, i32Add, localSet, out],
    ...[localGet, count, i32Const, 1, i32Sub, localSet, count],
    ...[localGet, count, branchIf, 0],
    ...[end, end, end],
  ];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: readonly number[]): number[] {
  return [...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  return sized([...Buffer.from(text)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
