import { elementCount, rowsOf, type StoredTensor, type TakenFrom, type TensorPiece } from './tensor.ts';

type ReadPlain = (tensor: StoredTensor) => AsyncIterable<TensorPiece>;

/**
 * The pieces of a weight that has to be taken out of the file's tensor. Runs of rows are read one after the other; a transposed matrix is read
 * whole and turned over, which families with small matrices alone need.
 */
export async function* readTaken(tensor: StoredTensor, taken: TakenFrom, read: ReadPlain): AsyncGenerator<TensorPiece> {
  const stored: StoredTensor = { ...tensor, shape: taken.storedShape, taken: null };
  const pieces = taken.transposed ? readTurned(tensor, stored, taken, read) : readRuns(tensor, stored, taken, read);
  for await (const { start, values } of pieces) {
    if (taken.plus !== 0) for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + taken.plus;
    yield { start, values };
  }
}

async function* readRuns(
  { name, shape }: StoredTensor,
  stored: StoredTensor,
  { runs }: TakenFrom,
  read: ReadPlain,
): AsyncGenerator<TensorPiece> {
  const [rows = 1] = shape;
  const width = elementCount(shape) / rows;
  for (let run = 0; run * runs.count < rows; run++) {
    const part = rowsOf(stored, name, runs.first + run * runs.every, runs.count);
    for await (const { start, values } of read(part)) yield { start: run * runs.count * width + start, values };
  }
}

async function* readTurned(
  { shape }: StoredTensor,
  stored: StoredTensor,
  { runs }: TakenFrom,
  read: ReadPlain,
): AsyncGenerator<TensorPiece> {
  const [rows = 0, width = 0] = shape;
  const [, columns = 0] = stored.shape;
  const whole = new Float32Array(elementCount(stored.shape));
  for await (const { start, values } of read(stored)) whole.set(values, start);
  const turned = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const column = runs.first + Math.floor(row / runs.count) * runs.every + (row % runs.count);
    for (let i = 0; i < width; i++) turned[row * width + i] = whole[i * columns + column] as number;
  }
  yield { start: 0, values: turned };
}
