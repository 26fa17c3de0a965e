import type { ModelConfig } from '../core/index.ts';
import type { TensorLocation } from './checkpoint.ts';
import { linearGroups } from './linear-groups.ts';
import type { TensorType } from './tensor.ts';

/**
 * How a linear layer's weights are stored, besides plain float32:
 *
 * | form    | arrays of a group [out, width]                                                   | w =                         |
 * |---------|----------------------------------------------------------------------------------|-----------------------------|
 * | int8    | `values` int8 [width, out], `scales` float32 [out]                               | scale·q                     |
 * | int8tiles | `tiles` uint8, `scales` float32, `offsets` int32, as int8-tile-layout.ts says  | scale·q                     |
 * | blocks4 | `quants` uint8 [out, width/32, 16], `scales`, `offsets` float32 [out, width/32]  | scale·(q − 8) + offset      |
 * | blocks8 | `quants` uint8 [out, width/32, 32], `scales` float32 [out, width/32]             | scale·(q − 128)             |
 * | tiles4  | `tiles` uint8, `scales` float16, as tile-layout.ts says                          | scale·q                     |
 * | tiles4m | `tiles` uint8, `scales`, `minima` float16                                        | scale·q + (8·scale + minimum) |
 * | tiles8  | `tiles` uint8, `scales` float16                                                  | scale·q                     |
 * | tiles16 | `tiles` uint8                                                                    | bfloat16                    |
 *
 * int8 and blocks are for ONNX Runtime's operators, tiles for Tiller's own.
 */
export type LinearForm = 'int8' | 'int8tiles' | BlockForm | TileForm;
export type BlockForm = 'blocks4' | 'blocks8';
export type TileForm = 'tiles4' | 'tiles4m' | 'tiles8' | 'tiles16';

/** Stored types whose weights MatMulNBits takes as they are. */
export const blockForms: Partial<Record<TensorType, BlockForm>> = { Q4_0: 'blocks4', Q4_1: 'blocks4', Q8_0: 'blocks8' };

/** Stored types whose weights Product takes as they are. */
export const tileForms: Partial<Record<TensorType, TileForm>> = {
  Q4_0: 'tiles4',
  Q4_1: 'tiles4m',
  Q8_0: 'tiles8',
  BF16: 'tiles16',
};

/** An array in a cache file, ready to be mapped. */
export interface StoredArray {
  readonly location: TensorLocation;
  readonly type: 'float32' | 'float16' | 'uint8' | 'int8' | 'int32';
}

/** Linear layers that are stored in a form of their own; those that are not named are read as float32. */
export interface StoredLinears {
  /** Group (linear-groups.ts) → its form. */
  readonly forms: ReadonlyMap<string, LinearForm>;
  /** `group.values` and so on → where it lies. */
  readonly arrays: ReadonlyMap<string, StoredArray>;
}

/** Nothing stored in a form of its own: everything is float32. */
export const noStoredLinears: StoredLinears = { forms: new Map(), arrays: new Map() };

/**
 * Matrices that no graph reads as float32, because all of the given sets store them in a form of their own. A tied embedding is always
 * read, by rows. None where nothing is given.
 */
export function unreadWeights(config: ModelConfig, sets: readonly StoredLinears[]): Set<string> {
  const unread = new Set<string>();
  if (sets.length === 0) return unread;
  for (const { name, weights } of linearGroups(config)) {
    if (sets.every(({ forms }) => forms.has(name))) for (const weight of weights) unread.add(weight);
  }
  unread.delete('model.embed_tokens.weight');
  return unread;
}
