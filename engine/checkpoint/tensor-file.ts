import { TillerError } from '../core/index.ts';
import { LocalFile } from './local-file.ts';
import { readSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { elementCount } from './tensor.ts';
import { readInto } from './tensor-reader.ts';

/** One safetensors file of whatever content (a dictionary, vectors): names, shapes, and float32 on request. */
export interface TensorFile {
  readonly path: string;
  /** `dtype` is safetensors' word; only F32, F16 and BF16 can be read as float32. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly dtype: string }>;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** A whole tensor, row major. Throws `checkpoint_invalid` where it does not exist, `checkpoint_unsupported` for other types. */
  readFloat32(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens a safetensors file with the same checks as a checkpoint's. Throws `checkpoint_invalid` with the reason. */
export async function openTensorFile(path: string): Promise<TensorFile> {
  const file = await LocalFile.open(path);
  try {
    const { entries, metadata } = await readSafetensorsHeader(file);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    return {
      path,
      tensors: byName,
      metadata,
      readFloat32: (name) => readFloat32(file, byName.get(name), name),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readFloat32(file: LocalFile, entry: SafetensorsEntry | undefined, name: string): Promise<Float32Array> {
  if (entry === undefined) throw new TillerError('checkpoint_invalid', `${file.path} has no tensor '${name}'.`);
  const { dtype } = entry;
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new TillerError(
      'checkpoint_unsupported',
      `${file.path}: tensor '${name}' is of type ${dtype}; F32, F16 and BF16 are read.`,
    );
  }
  const into = new Float32Array(elementCount(entry.shape));
  await readInto(file, { ...entry, type: dtype, file: 0, interleavedHeads: null }, into);
  return into;
}
