import { describe, expect, it } from 'vitest';
import { createLabelIndex, hasWords, stem } from '../../sae-registry/search.ts';

const label = (text: string, clarity: number | null = null) => [{ text, method: 'm', author: 'a', clarity }];

describe('label search', () => {
  it('prefers the clearer of equal labels, then the lower index', () => {
    const index = createLabelIndex(
      new Map([
        [9, label('blue sky', 1)],
        [4, label('blue sky', 1)],
        [7, label('blue sky', 3)],
        [2, label('blue sky')],
      ]),
    );
    expect(index.search('sky').map((match) => match.index)).toEqual([7, 4, 9, 2]);
  });

  it('prefers whole words to beginnings, and more words to fewer', () => {
    const index = createLabelIndex(
      new Map([
        [1, label('songbirds')],
        [2, label('songs')],
        [3, label('songs of birds')],
      ]),
    );
    expect(index.search('song')[0]?.index).toBe(2);
    expect(index.search('song').map((match) => match.index)).toContain(1);
    expect(index.search('bird song')[0]?.index).toBe(3);
    expect(index.search('so')).toEqual([]);
  });

  it.each([
    ['Cafés', 'cafe'],
    ['stories', 'story'],
    ['boxes', 'box'],
    ['glass', 'glass'],
    ['Holmes’s', 'holme'],
    ['is', 'is'],
    ['status', 'status'],
  ])('stems %s to %s', (word, expected) => expect(stem(word)).toBe(expected));

  it('knows when nothing is left to search for', () => {
    expect([hasWords(' ?'), hasWords('日本'), hasWords('7')]).toEqual([false, true, true]);
  });
});
