import type { LayerAttention } from '../../core/index.ts';
import type { GgufFile } from './gguf-file.ts';

/** Keys that blocks with a window look back on, their own among them; null where the file names none. */
export function windowOf(file: GgufFile): number | null {
  const window = file.number('attention.sliding_window') ?? 0;
  if (Number.isInteger(window) && window >= 0) return window === 0 ? null : window;
  throw file.invalid(`${file.architecture}.attention.sliding_window is ${window}`);
}

/** Of every `pattern` blocks the last sees everything. */
export function everyLastIsGlobal(
  blocks: number,
  pattern: number,
  window: number | null,
  rotary: (slides: boolean) => number = () => 0,
): LayerAttention[] {
  return Array.from({ length: blocks }, (_, block) => {
    const slides = window !== null && (block + 1) % pattern !== 0;
    return { window: slides ? window : null, rotary: rotary((block + 1) % pattern !== 0) };
  });
}
