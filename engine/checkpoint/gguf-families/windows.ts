import type { LayerAttention } from '../../core/index.ts';
import type { GgufFile } from './gguf-file.ts';

/** Keys that blocks with a window look back on, their own among them; null where the file names none. */
export function windowOf(file: GgufFile): number | null {
  const window = file.number('attention.sliding_window') ?? 0;
  if (Number.isInteger(window) && window >= 0) return window === 0 ? null : window;
  throw file.invalid(`${file.architecture}.attention.sliding_window is ${window}`);
}

/**
 * Which blocks have a window: by `attention.sliding_window_pattern`, a list of them or a number, else by `pattern`. A number means that of
 * so many blocks the last sees everything.
 */
export function slidingBlocks(file: GgufFile, blocks: number, pattern: number): readonly boolean[] {
  const key = 'attention.sliding_window_pattern';
  const listed = file.booleans(key);
  if (listed?.length === blocks) return listed;
  if (listed) throw file.invalid(`${file.architecture}.${key} names ${listed.length} blocks of ${blocks}`);
  const every = file.number(key) ?? pattern;
  if (!(Number.isInteger(every) && every >= 1)) throw file.invalid(`${file.architecture}.${key} is ${every}`);
  return Array.from({ length: blocks }, (_, block) => (block + 1) % every !== 0);
}

/** The attention of each block, by whether it has a window. */
export function windowedLayers(
  slides: readonly boolean[],
  window: number | null,
  rotary: (slides: boolean) => number = () => 0,
): LayerAttention[] {
  return slides.map((sliding) => ({ window: sliding ? window : null, rotary: rotary(sliding) }));
}
