import { type LayerAttention, TillerError } from '../../core/index.ts';
import { maxBlocks } from '../limits.ts';
import type { ConfigFile } from './config-file.ts';

const slidingByType = { sliding_attention: true, full_attention: false } as const;

/**
 * The attention of each block: those that `slides` names look back on a window of keys.
 *
 * @param rotary index of a block's rotary embedding, by whether it slides
 */
export function windowedLayers(
  file: ConfigFile,
  blocks: number,
  window: number | null,
  slides: (block: number) => boolean,
  rotary: (slides: boolean) => number | null = () => 0,
): LayerAttention[] {
  if (window !== null && !(Number.isInteger(window) && window >= 1)) {
    throw new TillerError(
      'checkpoint_invalid',
      `${file.path}: sliding_window is ${window}; a whole number from 1 is expected.`,
    );
  }
  return Array.from({ length: checkedBlocks(file, blocks) }, (_, block) => {
    return { window: slides(block) ? window : null, rotary: rotary(slides(block)) };
  });
}

/** `layer_types`, which newer configurations state; null where it is not there. */
export function statedLayers(file: ConfigFile, blocks: number, types: readonly string[] | null | undefined) {
  if (types === null || types === undefined) return null;
  const sliding = types.map((type) => file.oneOf('layer_types', type, slidingByType));
  if (types.length === blocks) return (block: number) => sliding[block] === true;
  throw new TillerError('checkpoint_invalid', `${file.path}: layer_types names ${types.length} blocks of ${blocks}.`);
}

/** Lists of a hostile length are not made: the other sizes are checked later. */
function checkedBlocks(file: ConfigFile, blocks: number): number {
  if (Number.isInteger(blocks) && blocks >= 1 && blocks <= maxBlocks) return blocks;
  throw new TillerError(
    'checkpoint_invalid',
    `${file.path}: the number of blocks is ${blocks}; a whole number from 1 to ${maxBlocks} is expected.`,
  );
}
