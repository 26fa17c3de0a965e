import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '../../../engine/core/index.ts';
import { CodePoints, tokenSpans } from '../../../routes/prompts/token-spans.ts';
import { specials, toyTokenizer } from '../../harness/toy-model.ts';

const toy = toyTokenizer(true);
const encode = (text: string) => toy.encode(text, { addSpecialTokens: true });

/** A vocabulary of whole pieces. */
function pieces(...texts: (string | Uint8Array)[]): Tokenizer {
  const bytes = texts.map((text) => (typeof text === 'string' ? new TextEncoder().encode(text) : text));
  return { ...toy, specialTokenIds: new Set(), tokenBytes: (id) => bytes[id] ?? new Uint8Array() };
}

describe('token spans', () => {
  it('give each token its bytes, and none to a start token that the text does not hold', () => {
    expect(tokenSpans('ab', encode('ab'), toy)).toEqual([null, { start: 0, end: 1 }, { start: 1, end: 2 }]);
    // spelled out in the text it is a part of it
    const spelled = tokenSpans('<|begin|>a', [specials['<|begin|>'], 97], toy);
    expect(spelled).toEqual([
      { start: 0, end: 9 },
      { start: 9, end: 10 },
    ]);
  });

  it('leave out the space that SentencePiece puts before a text, and nothing else', () => {
    expect(tokenSpans('Hi you', [0, 1], pieces(' Hi', ' you'))).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 6 },
    ]);
    expect(tokenSpans(' Hi', [0, 1], pieces(' ', ' Hi'))).toEqual([
      { start: 0, end: 0 },
      { start: 0, end: 3 },
    ]);
  });

  it('are none where tokens do not spell the text', () => {
    expect(tokenSpans('abc', encode('abd'), toy)).toBeNull();
    expect(tokenSpans('abc', encode('ab'), toy)).toBeNull();
    expect(tokenSpans('ab', encode('abc'), toy)).toBeNull();
  });
});

describe('code points', () => {
  it('are shared by the pieces of one character', () => {
    // 1, 2, 3 and 4 bytes
    const points = new CodePoints('aé€😀!');
    expect(points.count).toBe(5);
    const spans = tokenSpans('aé€😀!', toy.encode('aé€😀!', { addSpecialTokens: false }), toy) ?? [];
    const found = spans.map((span) => (span ? points.span(span) : null));
    const place = (start: number) => ({ start, end: start + 1 });
    expect(found).toEqual([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4].map(place));
    // a token with the end of one character and the whole of another
    expect(points.span({ start: 2, end: 6 })).toEqual({ start: 1, end: 3 });
    expect(points.span({ start: 3, end: 3 })).toEqual({ start: 2, end: 2 });
    expect(points.span({ start: 11, end: 11 })).toEqual({ start: 5, end: 5 });
  });
});
