import { dequantise } from '../../engine/checkpoint/dequantise.ts';
import { readGgufHeader } from '../../engine/checkpoint/gguf-header.ts';
import type { LocalFile } from '../../engine/checkpoint/local-file.ts';
import { TillerError } from '../../engine/core/index.ts';
import type { Direction } from '../store/index.ts';

/**
 * The directions of a control vector as repeng writes it and llama.cpp reads it. `direction.<layer>` is added to what comes out of block
 * `layer`, counted from 0 (repeng's `ControlModel` wraps that block; llama.cpp's `--control-vector` adds it there), which is
 * `blocks.<layer>.hook_resid_post`; the file that exports/control-vector.ts writes comes back as it was. Throws `invalid_request` for a
 * GGUF that is none, and for tensors that are no floats.
 */
export async function readControlVector(file: LocalFile): Promise<readonly Direction[]> {
  const { metadata, entries } = await readGgufHeader(file);
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'controlvector') {
    throw refused(`its architecture is '${String(architecture)}', not 'controlvector'`);
  }
  const directions: Direction[] = [];
  for (const { name, shape, type, offset, byteLength } of entries) {
    const layer = /^direction\.(\d{1,4})$/.exec(name)?.[1];
    if (layer === undefined) throw refused(`it has a tensor '${name}', which is no direction`);
    const width = shape.at(-1) ?? 0;
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements !== width) throw refused(`'${name}' has the shape [${shape.join(', ')}]`);
    if (type !== 'F32' && type !== 'F16' && type !== 'BF16') throw refused(`'${name}' is of type ${type}`);
    const bytes = new Uint8Array(byteLength);
    await file.read(offset, bytes);
    const values = new Float32Array(width);
    dequantise(type, bytes, values);
    directions.push({ hookPoint: `blocks.${Number(layer)}.hook_resid_post`, values });
  }
  return directions;
}

function refused(why: string): TillerError {
  return new TillerError('invalid_request', `The file is no control vector: ${why}.`, { param: 'file' });
}
