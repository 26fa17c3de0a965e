import { LocalFile } from '../../engine/checkpoint/local-file.ts';
import { readSafetensorsHeader } from '../../engine/checkpoint/safetensors-header.ts';
import { asSource } from '../source-error.ts';
import { fileBytes } from './byte-source.ts';
import { type ArrayFile, rowMajor } from './stored-array.ts';

/** The tensors of a safetensors file, none of them read yet. Throws `source_invalid` for a file that a checkpoint would be refused for. */
export async function openSafetensors(path: string): Promise<ArrayFile> {
  return asSource(async () => {
    const file = await LocalFile.open(path);
    try {
      const { entries } = await readSafetensorsHeader(file);
      const bytes = fileBytes(path);
      const arrays = entries.map(({ name, dtype, shape, offset }) => {
        return [name, { name, type: dtype, shape, strides: rowMajor(shape), bytes, offset }] as const;
      });
      return { path, arrays: new Map(arrays), values: new Map() };
    } finally {
      await file.close();
    }
  });
}
