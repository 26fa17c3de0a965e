import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tokenizer } from '../../../engine/core/index.ts';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { huggingFace, sentencePieceJson, smollm2, tinyTokenizerJson } from './fixtures.ts';

const tokenizers = new Map<string, Tokenizer>();
beforeAll(async () => {
  tokenizers.set('smollm2', await createTokenizer(smollm2()));
  tokenizers.set('tiny', await createTokenizer(huggingFace(tinyTokenizerJson())));
  tokenizers.set('sentencepiece', await createTokenizer(huggingFace(sentencePieceJson())));
});

function named(name: string): Tokenizer {
  const tokenizer = tokenizers.get(name);
  if (!tokenizer) throw new Error(name);
  return tokenizer;
}

/** Random tokens, half of them from the beginning of the vocabulary, where the single bytes are. */
function ids(tokenizer: Tokenizer) {
  const id = fc.oneof(fc.nat(tokenizer.vocabularySize - 1), fc.nat(Math.min(300, tokenizer.vocabularySize) - 1));
  return fc.array(id, { maxLength: 60 });
}

function streamed(tokenizer: Tokenizer, sequence: Iterable<number>, skipSpecial: boolean): string[] {
  const stream = tokenizer.stream({ skipSpecial });
  return [...Array.from(sequence, (id) => stream.push(id)), stream.flush()];
}

describe.each(['smollm2', 'tiny', 'sentencepiece'])('detokenising %s as it comes', (name) => {
  it('equals decoding the whole, and the bytes read as UTF-8, for any tokens', () => {
    const tokenizer = named(name);
    fc.assert(
      fc.property(ids(tokenizer), fc.boolean(), (sequence, skipSpecial) => {
        const text = streamed(tokenizer, sequence, skipSpecial).join('');
        expect(text).toBe(tokenizer.decode(sequence, { skipSpecial }));
        const kept = sequence.filter((id) => !(skipSpecial && tokenizer.specialTokenIds.has(id)));
        const bytes = Buffer.concat(kept.map((id) => tokenizer.tokenBytes(id))).toString('utf8');
        expect(text).toBe(name === 'sentencepiece' ? bytes.replace(/^ /, '') : bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('never emits half a character', () => {
    const tokenizer = named(name);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        fc.pre(!text.includes('\ufffd'));
        const pieces = streamed(tokenizer, tokenizer.encode(text, { addSpecialTokens: false }), false);
        for (const piece of pieces) {
          expect(piece).not.toMatch(/\p{Surrogate}/u);
          expect(piece).not.toContain('\ufffd');
        }
      }),
    );
  });
});

describe('characters in pieces', () => {
  it('wait until they are whole', () => {
    const tokenizer = named('tiny');
    const ids = tokenizer.encode('a\u{1f389}b', { addSpecialTokens: false });
    const pieces = streamed(tokenizer, ids, false);
    expect(pieces).toEqual(['a', '', '', '', '\u{1f389}', 'b', '']); // four tokens of one byte each
    expect(pieces.join('')).toBe('a\u{1f389}b');
  });

  it('become U+FFFD at the end, or where the next token contradicts them', () => {
    const tokenizer = named('tiny');
    const [first, second] = [...tokenizer.encode('\u{1f389}', { addSpecialTokens: false })];
    const [letter] = [...tokenizer.encode('b', { addSpecialTokens: false })];
    expect(streamed(tokenizer, [first], false)).toEqual(['', '\ufffd']);
    expect(streamed(tokenizer, [first, letter], false)).toEqual(['', '\ufffdb', '']);
    expect(streamed(tokenizer, [first, 1, second], true).join('')).toBe(
      tokenizer.decode([first, second], { skipSpecial: true }),
    );
  });

  it('keeps a byte order mark: it is text', () => {
    const tokenizer = named('tiny');
    const ids = tokenizer.encode('\ufeffa', { addSpecialTokens: false });
    expect(streamed(tokenizer, ids, false).join('')).toBe('\ufeffa');
  });

  it('keeps two streams apart', () => {
    const tokenizer = named('tiny');
    const ids = tokenizer.encode('\u{1f389}', { addSpecialTokens: false });
    const one = tokenizer.stream({ skipSpecial: false });
    const two = tokenizer.stream({ skipSpecial: false });
    one.push(ids[0]);
    expect(two.push(tokenizer.encode('b', { addSpecialTokens: false })[0])).toBe('b');
  });
});
