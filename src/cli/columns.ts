/** Text laid out for a terminal of fixed-width cells. */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Scripts and pictures that take two cells. */
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303e\uff01-\uff60]/u;

/** Cells that a text takes on one line. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** A model may write anything; control characters (but line ends) become visible instead of steering the terminal. */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/\t/g, '    ')
    .replace(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd');
}

/** Breaks text at spaces into lines of at most `width` cells; longer words are cut. Line ends in the text are kept. */
export function wrap(text: string, width: number): string[] {
  return printable(text)
    .split('\n')
    .flatMap((paragraph) => wrapParagraph(paragraph, Math.max(2, width)));
}

function wrapParagraph(paragraph: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(/(?<=\s)(?=\S)/)) {
    if (line !== '' && cellWidth(line + word.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    for (const { segment } of graphemes.segment(word)) {
      if (line !== '' && segment.trim() !== '' && cellWidth(line + segment) > width) {
        lines.push(line.trimEnd());
        line = '';
      }
      line += segment;
    }
  }
  return [...lines, line.trimEnd()];
}

/** Two texts under their titles, side by side and wrapped; one below the other when a column would be under 30 cells. */
export function sideBySide(
  left: { readonly title: string; readonly text: string },
  right: { readonly title: string; readonly text: string },
  columns: number,
): string {
  const gap = ' | ';
  const width = Math.floor((columns - gap.length) / 2);
  if (width < 30) {
    return [left, right].map(({ title, text }) => [title, ...wrap(text, columns)].join('\n')).join('\n\n');
  }
  const [leftLines, rightLines] = [left, right].map(({ title, text }) => [
    title,
    '-'.repeat(width),
    ...wrap(text, width),
  ]);
  const rows = Math.max(leftLines?.length ?? 0, rightLines?.length ?? 0);
  return Array.from({ length: rows }, (_, row) => {
    const cell = leftLines?.[row] ?? '';
    return `${cell}${' '.repeat(width - cellWidth(cell))}${gap}${rightLines?.[row] ?? ''}`.trimEnd();
  }).join('\n');
}
