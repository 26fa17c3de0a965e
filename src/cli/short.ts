import { cellWidth } from './columns.ts';

/** A figure as tables show it, in three digits; nothing where there is none. */
export function short(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : String(Number(value.toPrecision(3)));
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** A line cut to so many cells, with an ellipsis where something is missing. */
export function shortened(text: string, width: number): string {
  if (cellWidth(text) <= width) return text;
  let line = '';
  for (const { segment } of graphemes.segment(text)) {
    if (cellWidth(line + segment) > width - 1) break;
    line += segment;
  }
  return `${line}…`;
}

/** JSON for people to read: the base64 of a direction in it says how long it is. */
export function withoutNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isData = key === 'data' && typeof inner === 'string';
      return [key, isData ? `(${Math.floor((inner.length * 3) / 16)} numbers)` : withoutNumbers(inner)];
    }),
  );
}
