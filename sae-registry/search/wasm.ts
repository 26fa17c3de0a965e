/**
 * Just enough of WebAssembly's binary form to write a module of one function by hand: what JavaScript's numbers cannot do (count
 * bits, multiply many small integers at once) without a package of native code. https://webassembly.github.io/spec/core/binary/
 */
export const i32 = 0x7f;
export const i64 = 0x7e;
export const v128 = 0x7b;
export const pageBytes = 65_536;

export interface ModuleMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What is used of the global of this name, whose types come with a browser's only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

export interface WasmFunction {
  readonly name: string;
  /** Value types of what it takes and gives. */
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  /** How many locals of which type, after the parameters. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  /** Instructions without the last `end`. */
  readonly body: readonly number[];
}

/** A module that exports its `memory` and one function by its name. @param T both, as they are called */
export function instantiate<T>(its: WasmFunction, pages: number): T {
  return new WebAssembly.Instance(new WebAssembly.Module(moduleBytes(its, pages))).exports as T;
}

/** Makes the memory hold at least so many bytes. Views of it from before are of no use any more. */
export function growTo(memory: ModuleMemory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (missing > 0) memory.grow(missing);
}

/** LEB128. */
export function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function moduleBytes({ name, parameters, results, locals, body }: WasmFunction, pages: number): Uint8Array {
  const types = (list: readonly number[]) => vector(list.map((type) => [type]));
  const code = [...vector(locals.map(([count, type]) => [...unsigned(count), type])), ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, ...types(parameters), ...types(results)]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0x00, ...unsigned(pages)]])),
    ...section(
      7,
      vector([
        [...text('memory'), 0x02, 0],
        [...text(name), 0x00, 0],
      ]),
    ),
    ...section(10, vector([sized(code)])),
  ]);
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

function text(value: string): number[] {
  return sized([...Buffer.from(value)]);
}
