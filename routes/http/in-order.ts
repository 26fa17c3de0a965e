/**
 * Runs `work` on every item, `most` of them at once, and gives the results in the order of the items. Stops beginning new ones where one
 * fails or the iteration is left; whoever gave the items stops those under way.
 */
export async function* inOrder<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item, index: number) => Promise<Result>,
): AsyncGenerator<Result> {
  const underway: Promise<Result>[] = [];
  for (const [index, item] of items.entries()) {
    const one = work(item, index);
    // whoever waits for an earlier one that fails must not leave this one's failure unheard
    one.catch(() => undefined);
    underway.push(one);
    if (underway.length >= Math.max(1, most)) yield await (underway.shift() as Promise<Result>);
  }
  for (const one of underway) yield await one;
}
