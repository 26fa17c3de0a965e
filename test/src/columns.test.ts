import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellWidth, printable, sideBySide, wrap } from '../../src/cli/columns.ts';

describe('columns', () => {
  it('counts cells, not code units', () => {
    expect(['abc', '日本', 'é', '👍🏽', ''].map(cellWidth)).toEqual([3, 4, 1, 2, 0]);
  });

  it('wraps at spaces, cuts long words, keeps line ends', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefgh ij', 3)).toEqual(['abc', 'def', 'gh', 'ij']);
    expect(wrap('a\n\nb', 10)).toEqual(['a', '', 'b']);
  });

  it('never lets a line grow wider, and loses nothing but spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.integer({ min: 2, max: 20 }), (text, width) => {
        const lines = wrap(text, width);
        for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replace(/\s/g, '')).toBe(printable(text).replace(/\s/g, ''));
      }),
    );
  });

  it('lets no control character through to the terminal', () => {
    expect(printable('\u001b[31mred\u0007\u202e\r\nend')).toBe('\ufffd[31mred\ufffd\ufffd\nend');
  });

  it('stacks what does not fit side by side', () => {
    const [left, right] = [
      { title: 'L', text: 'left text' },
      { title: 'R', text: 'right text' },
    ];
    expect(sideBySide(left, right, 40)).toBe('L\nleft text\n\nR\nright text');
    const rows = sideBySide(left, right, 70).split('\n');
    expect(rows[2]).toBe(`${'left text'.padEnd(33)} | right text`);
  });
});
