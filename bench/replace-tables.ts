const markers = (name: string) =>
  ({ start: `<!-- bench:${name}:start -->`, end: `<!-- bench:${name}:end -->` }) as const;

/**
 * The text with every table between its markers replaced. Throws where a table's markers are missing or stand twice, and where there
 * are markers of a table that does not exist: a figure that nobody generates would go stale unseen.
 */
export function replaceTables(text: string, tables: ReadonlyMap<string, string>): string {
  for (const [, name] of text.matchAll(/<!-- bench:([\w-]+):(?:start|end) -->/g)) {
    if (!tables.has(name)) throw new Error(`There is no table '${name}'; there are ${[...tables.keys()].join(', ')}.`);
  }
  let result = text;
  for (const [name, table] of tables) {
    const { start, end } = markers(name);
    const [before, rest, ...more] = result.split(start);
    const [, after, ...others] = rest?.split(end) ?? [];
    if (rest === undefined || after === undefined || more.length > 0 || others.length > 0) {
      throw new Error(`The text needs the lines '${start}' and '${end}' once each, in this order.`);
    }
    result = `${before}${start}\n${table}\n${end}${after}`;
  }
  return result;
}
