import { cellWidth, printable } from './columns.ts';

/** Rows of cells in columns, as wide as their widest cell; the first row is a heading. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => printable(cell).replace(/\s+/g, ' ').trim()));
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...cells.map((row) => cellWidth(row[column] ?? ''))),
  );
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - cellWidth(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
