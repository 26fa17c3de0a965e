import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchDirectory } from '../../../bench/checkout.ts';
import { firstTokenOf, readText, textName, windowsOf } from '../../../bench/quality/text.ts';
import { specials, toyTokenizer } from '../../harness/toy-model.ts';

describe('the text that quality is measured on', () => {
  const { text, sha256 } = readText();
  const page = readFileSync(join(benchDirectory, 'texts', 'README.md'), 'utf8');

  it('is the one that bench/texts/README.md describes', () => {
    expect(page).toContain(`## ${textName}`);
    expect(page).toContain(sha256);
    expect(page).toContain(`${Buffer.byteLength(text).toLocaleString('en-US')} bytes`);
  });

  it('is whole, and short enough for a repository', () => {
    expect(text).not.toContain('�');
    expect(text).toMatch(/^Introduction\n/);
    expect(Buffer.byteLength(text)).toBeLessThan(100_000);
  });
});

describe('windows', () => {
  it('each begin with the first token, follow each other and leave out what does not fill one', () => {
    const windows = windowsOf(Int32Array.of(10, 11, 12, 13, 14, 15, 16), 1, 4);
    expect(windows.map((window) => [...window])).toEqual([
      [1, 10, 11, 12],
      [1, 13, 14, 15],
    ]);
  });

  it('refuse a text that fills none', () => {
    expect(() => windowsOf(Int32Array.of(10, 11), 1, 4)).toThrow(/2 tokens/);
  });

  it("begin with the tokenizer's own token, else with the special one that is named", () => {
    expect(firstTokenOf(toyTokenizer(), 5, '<|im_start|>')).toBe(5);
    expect(firstTokenOf(toyTokenizer(), null, '<|im_start|>')).toBe(specials['<|im_start|>']);
    expect(() => firstTokenOf(toyTokenizer(), null, 'a')).toThrow(/special/);
    expect(() => firstTokenOf(toyTokenizer(), null, '<|im_start|>a')).toThrow(/special/);
  });
});
