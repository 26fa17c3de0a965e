import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixCache, type PrefixEntry } from '../../../engine/scheduler/prefix-cache.ts';

/** A chain's keys: `ab` stands for the blocks a and ab. */
const chain = (word: string) => [...word].map((_, at) => word.slice(0, at + 1));
const entry = (key: string, bytes = 10): PrefixEntry<string> => ({ key, content: key, bytes });
const keysOf = (entries: readonly PrefixEntry<string>[]) => entries.map(({ key }) => key);

/** Adds what is missing of a chain. */
function hold(cache: PrefixCache<string>, word: string): void {
  const held = cache.find(chain(word));
  cache.add(
    chain(word)
      .slice(held.length)
      .map((key) => entry(key)),
    held.at(-1)?.key ?? null,
  );
}

describe('the prefix cache', () => {
  it('finds the longest beginning that is held', () => {
    const cache = new PrefixCache<string>(1000);
    hold(cache, 'abc');
    hold(cache, 'abd');
    expect(keysOf(cache.find(chain('abcx')))).toEqual(['a', 'ab', 'abc']);
    expect(keysOf(cache.find(chain('abx')))).toEqual(['a', 'ab']);
    expect(cache.find(chain('b'))).toEqual([]);
    expect([cache.size, cache.bytes]).toEqual([4, 40]);
  });

  it('lets the least recently used go first, leaves before what they stand on', () => {
    const cache = new PrefixCache<string>(1000);
    for (const word of ['abc', 'x', 'ad']) hold(cache, word);
    cache.find(chain('ab'));
    expect(keysOf(cache.evict(1))).toEqual(['abc']);
    cache.find(chain('x'));
    expect(keysOf(cache.evict(2))).toEqual(['ad', 'ab']);
    expect(keysOf(cache.evict(9))).toEqual(['a', 'x']);
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });

  it('makes room only as far as it must, and never of what is pinned', () => {
    const cache = new PrefixCache<string>(40);
    hold(cache, 'ab');
    hold(cache, 'xy');
    const pinned = cache.find(chain('ab'));
    cache.find(chain('xy'));
    cache.pin(pinned);
    cache.pin(pinned.slice(0, 1));
    expect(keysOf(cache.makeRoom(15))).toEqual(['xy', 'x']);
    expect(keysOf(cache.makeRoom(30))).toEqual([]);
    cache.unpin(pinned);
    expect(keysOf(cache.makeRoom(40))).toEqual(['ab']);
    cache.unpin(pinned.slice(0, 1));
    expect(keysOf(cache.makeRoom(40))).toEqual(['a']);
  });

  it('takes no block twice, without its parent or beyond the budget', () => {
    const cache = new PrefixCache<string>(25);
    hold(cache, 'a');
    expect(() => cache.add([entry('a')], null)).toThrow(/twice/);
    expect(() => cache.add([entry('xy')], 'x')).toThrow(/not held/);
    expect(() => cache.add([entry('ab', 16)], 'a')).toThrow(/budget/);
  });

  it('stays within its budget, whole chains only, least recently used first, whatever happens', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 5 });
    const action = fc.oneof(
      fc.record({ type: fc.constant('hold' as const), word }),
      fc.record({ type: fc.constant('find' as const), word }),
      fc.record({ type: fc.constant('evict' as const), count: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ type: fc.constant('pin' as const), word }),
      fc.record({ type: fc.constant('unpin' as const) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 20, max: 120 }), (actions, budget) => {
        const cache = new PrefixCache<string>(budget);
        /** What should be held, and when each was used last. */
        const model = new Map<string, number>();
        const pins: PrefixEntry<string>[][] = [];
        let clock = 0;
        const found = (word: string) => {
          const entries = cache.find(chain(word));
          const expected = chain(word).filter((_, at, keys) => keys.slice(0, at + 1).every((key) => model.has(key)));
          expect(keysOf(entries)).toEqual(expected);
          for (const key of expected) model.set(key, clock);
          clock++;
          return entries;
        };
        const isPinned = (key: string) => pins.some((entries) => entries.some((pinned) => pinned.key === key));
        const gone = (evicted: readonly PrefixEntry<string>[]) => {
          for (const { key } of evicted) {
            const mayGo = [...model.keys()].filter(
              (other) => !isPinned(other) && ![...model.keys()].some((child) => child.slice(0, -1) === other),
            );
            expect(mayGo).toContain(key);
            expect(model.get(key)).toBe(Math.min(...mayGo.map((other) => model.get(other) as number)));
            model.delete(key);
          }
        };
        for (const step of actions) {
          if (step.type === 'find') found(step.word);
          else if (step.type === 'pin') {
            const entries = found(step.word);
            cache.pin(entries);
            pins.push(entries);
          } else if (step.type === 'unpin') cache.unpin(pins.shift() ?? []);
          else if (step.type === 'evict') gone(cache.evict(step.count));
          else {
            const held = found(step.word);
            cache.pin(held);
            pins.push(held);
            const missing = chain(step.word).slice(held.length);
            gone(cache.makeRoom(missing.length * 10));
            const fits = missing.slice(0, Math.floor((budget - cache.bytes) / 10));
            cache.add(
              fits.map((key) => entry(key)),
              held.at(-1)?.key ?? null,
            );
            for (const key of [...keysOf(held), ...fits]) model.set(key, clock);
            clock++;
            cache.unpin(pins.pop() ?? []);
          }
          expect(cache.bytes).toBeLessThanOrEqual(budget);
          expect(cache.bytes).toBe(model.size * 10);
          for (const key of model.keys()) expect(key.length === 1 || model.has(key.slice(0, -1))).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });
});
