import { dequantise } from '../../engine/checkpoint/dequantise.ts';
import { sourceInvalid, sourceUnsupported } from '../source-error.ts';
import type { ByteSource, ReadBytes } from './byte-source.ts';

/** Element types that are read as numbers, under safetensors' names. */
const elementBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4 } as const;
export type ElementType = keyof typeof elementBytes;

/** An array as it lies in a file, whatever the file's format: the same of safetensors, of numpy's and of torch's archives. */
export interface StoredArray {
  readonly name: string;
  /** One of `ElementType`, or another type's name, which is refused when it is read. */
  readonly type: string;
  readonly shape: readonly number[];
  /** Elements from one index to the next, of each axis. */
  readonly strides: readonly number[];
  readonly bytes: ByteSource;
  /** Byte of its first element. */
  readonly offset: number;
}

/** The arrays of one file by name. */
export interface ArrayFile {
  readonly path: string;
  readonly arrays: ReadonlyMap<string, StoredArray>;
  /** Numbers and words beside the arrays (torch alone). */
  readonly values: ReadonlyMap<string, number | string | boolean>;
}

/** Strides of an array whose last axis runs fastest. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** A matrix seen with its axes exchanged; nothing is copied. */
export function transposed(array: StoredArray): StoredArray {
  return { ...array, shape: array.shape.toReversed(), strides: array.strides.toReversed() };
}

/** All elements as float32, row major by the array's own shape. Throws `source_unsupported` for other element types. */
export function readArray(array: StoredArray): Float32Array {
  const { shape } = array;
  if (shape.length === 2) return readRows(array, 0, shape[0]);
  if (shape.length > 2) throw sourceUnsupported(`An array of ${shape.length} axes (${array.name})`);
  const [count = 1] = shape;
  return readRows({ ...array, shape: [1, count], strides: [count, array.strides[0] ?? 1] }, 0, 1);
}

/**
 * Rows `first` to `first + count` of a matrix as float32 [count, width]. Rows that lie together are one read; a matrix whose columns
 * lie together is read a strip a column, so that memory stays at what is returned either way.
 */
export function readRows(matrix: StoredArray, first: number, count: number): Float32Array {
  const [, width] = matrix.shape;
  const [rowStride, columnStride] = matrix.strides;
  const into = new Float32Array(count * width);
  const type = checkedType(matrix);
  const size = elementBytes[type];
  const at = (row: number, column: number) => matrix.offset + (row * rowStride + column * columnStride) * size;
  matrix.bytes.use((read) => {
    if (columnStride === 1 && (rowStride === width || count === 1)) {
      decode(read, type, at(first, 0), into);
    } else if (columnStride === 1) {
      for (let row = 0; row < count; row++) decode(read, type, at(first + row, 0), rowOf(into, row, width));
    } else if (rowStride === 1 && columnStride === count) {
      readTurned(read, type, at(first, 0), [count, width], into);
    } else if (rowStride === 1 || count === 1) {
      const strip = new Float32Array(count);
      for (let column = 0; column < width; column++) {
        decode(read, type, at(first, column), strip);
        for (let row = 0; row < count; row++) into[row * width + column] = strip[row];
      }
    } else throw sourceUnsupported(`The strides [${matrix.strides.join(', ')}] of ${matrix.name}`);
  });
  return into;
}

/** Columns of a matrix that lies column by column are read and turned so many at a time: what they are turned into stays near. */
const turnedColumns = 32;

/** All of a matrix [rows, columns] whose columns lie one after another from `offset` on. */
function readTurned(
  read: ReadBytes,
  type: ElementType,
  offset: number,
  [rows, columns]: readonly [number, number],
  into: Float32Array,
): void {
  const strips = new Float32Array(rows * Math.min(turnedColumns, columns));
  for (let first = 0; first < columns; first += turnedColumns) {
    const count = Math.min(turnedColumns, columns - first);
    decode(read, type, offset + first * rows * elementBytes[type], strips.subarray(0, rows * count));
    for (let row = 0; row < rows; row++) {
      const to = row * columns + first;
      for (let i = 0; i < count; i++) into[to + i] = strips[i * rows + row];
    }
  }
}

function rowOf(values: Float32Array, row: number, width: number): Float32Array {
  return values.subarray(row * width, (row + 1) * width);
}

function checkedType({ type, name, bytes }: StoredArray): ElementType {
  if (Object.hasOwn(elementBytes, type)) return type as ElementType;
  throw sourceUnsupported(`${bytes.path}: element type ${type} of ${name}`);
}

function decode(read: ReadBytes, type: ElementType, offset: number, into: Float32Array): void {
  const bytes = new Uint8Array(into.length * elementBytes[type]);
  read(offset, bytes);
  if (type === 'F32' || type === 'F16' || type === 'BF16') {
    dequantise(type, bytes, into);
    return;
  }
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < into.length; i++) {
    if (type === 'F64') into[i] = view.getFloat64(i * 8, true);
    else into[i] = type === 'I64' ? Number(view.getBigInt64(i * 8, true)) : view.getInt32(i * 4, true);
  }
}

/** Throws `source_invalid` where an array's elements would lie beyond its bytes, or its shape is none. */
export function checkExtent(array: StoredArray): StoredArray {
  const { shape, strides, name, bytes } = array;
  const whole = [...shape, ...strides].every((size) => Number.isSafeInteger(size) && size >= 0);
  const last = shape.reduce((sum, size, axis) => sum + Math.max(0, size - 1) * strides[axis], 0);
  const size = Object.hasOwn(elementBytes, array.type) ? elementBytes[array.type as ElementType] : 1;
  if (!whole || strides.length !== shape.length || !(array.offset + (last + 1) * size <= bytes.size)) {
    throw sourceInvalid(
      `${bytes.path}: ${name} of [${shape.join(', ')}] does not fit into its bytes. Is it truncated?`,
    );
  }
  return array;
}
