import { describe, expect, it } from 'vitest';
import { assignFolds, type FoldItem } from '../../../sae-registry/index.ts';

const items = (count: number, of: (at: number) => Partial<FoldItem>): FoldItem[] =>
  Array.from({ length: count }, (_, at) => ({ positive: at % 2 === 0, topic: null, pair: null, ...of(at) }));

/** Which folds the items of each key are in. */
function foldsOf(
  given: readonly FoldItem[],
  folds: Uint8Array,
  key: (item: FoldItem) => unknown,
): Map<unknown, Set<number>> {
  const found = new Map<unknown, Set<number>>();
  for (const [at, item] of given.entries()) found.set(key(item), (found.get(key(item)) ?? new Set()).add(folds[at]));
  return found;
}

describe('folds', () => {
  it('hold a topic out whole, whatever its size', () => {
    const given = items(120, (at) => ({ topic: `t${Math.floor(Math.sqrt(at))}` }));
    const folds = assignFolds(given, 4);
    for (const where of foldsOf(given, folds, ({ topic }) => topic).values()) expect(where.size).toBe(1);
    expect(new Set(folds).size).toBe(4);
  });

  it('hold a pair out together and both classes in every fold', () => {
    const given = items(60, (at) => ({ pair: Math.floor(at / 2) }));
    const folds = assignFolds(given, 5);
    for (const where of foldsOf(given, folds, ({ pair }) => pair).values()) expect(where.size).toBe(1);
    for (let fold = 0; fold < 5; fold++) {
      const own = given.filter((_, at) => folds[at] === fold);
      expect(own).toHaveLength(12);
      expect(own.filter(({ positive }) => positive)).toHaveLength(6);
    }
  });

  it('spread classes of unequal size evenly', () => {
    const given = items(55, (at) => ({ positive: at < 10 }));
    const folds = assignFolds(given, 5);
    for (let fold = 0; fold < 5; fold++) {
      const own = given.filter((_, at) => folds[at] === fold);
      expect([own.filter(({ positive }) => positive).length, own.length]).toEqual([2, 11]);
    }
  });

  it('are the same every time', () => {
    const given = items(40, (at) => ({ topic: `t${at % 7}` }));
    expect(assignFolds(given, 5)).toEqual(assignFolds(given, 5));
  });

  it.each([
    ['some topics', items(10, (at) => ({ topic: at < 5 ? 'a' : null })), 5, 'topic'],
    ['one topic', items(10, () => ({ topic: 'a' })), 5, 'topic'],
    ['topics of one class', items(10, (at) => ({ topic: at % 2 === 0 ? 'a' : 'b' })), 5, 'topic'],
    ['too few of a class', items(10, (at) => ({ positive: at < 2 })), 5, 'folds'],
  ])('refuse %s', (_, given, wanted, param) => {
    expect(() => assignFolds(given, wanted)).toThrowError(expect.objectContaining({ code: 'invalid_request', param }));
  });
});
