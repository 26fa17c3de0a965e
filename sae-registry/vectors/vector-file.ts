import { LocalFile } from '../../engine/checkpoint/local-file.ts';
import { openTensorFile } from '../../engine/checkpoint/tensor-file.ts';
import { asTillerError, TillerError } from '../../engine/core/index.ts';
import type { Direction } from '../store/index.ts';
import { readControlVector } from './control-vector-reader.ts';

/** What a file of directions is. */
export interface VectorFile {
  readonly format: 'safetensors' | 'control_vector';
  readonly directions: readonly Direction[];
}

/**
 * The directions of a file: a control vector (GGUF), or safetensors whose tensors are named by hook points, one direction each ([width]
 * or [1, width], F32, F16 or BF16). Throws `invalid_request` for what is neither, for a file that is damaged or empty, and for numbers
 * that are not finite. Messages say nothing of where the file lies.
 */
export async function readVectorFile(path: string): Promise<VectorFile> {
  try {
    const found = (await isGguf(path))
      ? ({ format: 'control_vector', directions: await readGguf(path) } as const)
      : ({ format: 'safetensors', directions: await readSafetensors(path) } as const);
    if (found.directions.length === 0) throw refused('it holds no direction');
    for (const { hookPoint, values } of found.directions) {
      if (!values.every(Number.isFinite))
        throw refused(`the direction at ${hookPoint} has a number that is not finite`);
    }
    return found;
  } catch (error) {
    const { message } = asTillerError(error);
    throw new TillerError('invalid_request', message.replaceAll(path, 'The file'), { param: 'file', cause: error });
  }
}

async function isGguf(path: string): Promise<boolean> {
  const file = await LocalFile.open(path);
  try {
    if (file.size < 8) throw refused(`it has ${file.size} bytes`);
    const magic = new Uint8Array(4);
    await file.read(0, magic);
    return Buffer.from(magic).toString('latin1') === 'GGUF';
  } finally {
    await file.close();
  }
}

async function readGguf(path: string): Promise<readonly Direction[]> {
  const file = await LocalFile.open(path);
  try {
    return await readControlVector(file);
  } finally {
    await file.close();
  }
}

async function readSafetensors(path: string): Promise<readonly Direction[]> {
  const file = await openTensorFile(path);
  try {
    const directions: Direction[] = [];
    for (const [hookPoint, { shape }] of file.tensors) {
      const [rows = 1, width] = shape.length === 1 ? [1, ...shape] : shape;
      if (shape.length > 2 || rows !== 1 || !width) {
        throw refused(`the tensor '${hookPoint}' has the shape [${shape.join(', ')}], not [width]`);
      }
      directions.push({ hookPoint, values: await file.readFloat32(hookPoint) });
    }
    return directions;
  } finally {
    await file.close();
  }
}

function refused(why: string): TillerError {
  return new TillerError('invalid_request', `The file is refused: ${why}.`, { param: 'file' });
}
