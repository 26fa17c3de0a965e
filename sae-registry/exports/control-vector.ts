import { TillerError } from '../../engine/core/index.ts';
import { placeName } from '../stream-norms.ts';
import { ggufFile } from './gguf-file.ts';

/** What is added to the stream at one place. */
export interface AddedDirection {
  /** Said in errors. */
  readonly name: string;
  readonly hookPoint: string;
  /** In the stream's own units, strength and all. */
  readonly values: Float32Array;
}

/**
 * A control vector as repeng writes it and llama.cpp reads it (`--control-vector`): one float32 vector a layer,
 * `direction.<layer>`, which is added to what comes out of that block. llama.cpp counts blocks from 0 and adds nothing to block
 * 0's, so direction.1 is blocks.1.hook_resid_post. Directions at one place are summed. Throws `edit_not_applicable` for places that a
 * control vector does not reach, `invalid_request` for widths that differ.
 */
export function controlVectorFile(directions: readonly AddedDirection[], modelHint: string): Buffer {
  const layers = new Map<number, Float64Array>();
  const width = directions[0]?.values.length ?? 0;
  for (const direction of directions) {
    const { name, values } = direction;
    if (values.length !== width) {
      const message = `${name} is ${values.length} wide, ${directions[0]?.name} ${width}: they are not of one model.`;
      throw new TillerError('invalid_request', message);
    }
    const layer = layerOf(direction);
    const sum = layers.get(layer) ?? new Float64Array(width);
    for (const [i, value] of values.entries()) sum[i] = (sum[i] as number) + value;
    layers.set(layer, sum);
  }
  const vectors = [...layers]
    .sort(([a], [b]) => a - b)
    .map(([layer, sum]) => ({ name: `direction.${layer}`, values: Float32Array.from(sum) }));
  return ggufFile(
    {
      'general.architecture': 'controlvector',
      'controlvector.model_hint': modelHint,
      'controlvector.layer_count': vectors.length,
    },
    vectors,
  );
}

function layerOf({ name, hookPoint }: AddedDirection): number {
  const layer = Number(/^blocks\.(\d+)\.hook_resid_post$/.exec(placeName(hookPoint))?.[1] ?? 0);
  if (layer > 0) return layer;
  throw new TillerError(
    'edit_not_applicable',
    `${name} is at ${hookPoint}: a control vector is added to what comes out of a whole block, from blocks.1.hook_resid_post on.`,
  );
}
