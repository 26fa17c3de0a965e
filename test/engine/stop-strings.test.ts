import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStopMatcher } from '../../engine/stop-strings.ts';
import { TextStream } from '../../engine/text-stream.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';

/**
 * The definition: over the whole text, the match that ends first; of those that end together the longest. Only matches that
 * end beyond `unarmed` characters count.
 */
function naive(text: string, stops: readonly string[], include: boolean, unarmed: number) {
  for (let end = unarmed + 1; end <= text.length; end++) {
    const matches = stops.filter((stop) => stop !== '' && end >= stop.length && text.slice(0, end).endsWith(stop));
    const stop = matches.sort((a, b) => b.length - a.length)[0];
    if (stop !== undefined) return { text: text.slice(0, include ? end : end - stop.length), stop };
  }
  return { text, stop: null };
}

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '🙂'), maxLength: 40, size: 'max' });
const stopStrings = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🙂'), minLength: 1, maxLength: 5 }), {
  maxLength: 4,
});

function cut(text: string, cuts: readonly number[]): string[] {
  const characters = [...text];
  const borders = [...new Set(cuts.map((at) => at % (characters.length + 1)))].sort((a, b) => a - b);
  return [...borders, characters.length].map((to, at) => characters.slice(at === 0 ? 0 : borders[at - 1], to).join(''));
}

describe('stop strings', () => {
  it('equal the definition on the whole text, however it is cut', () => {
    let found = 0;
    fc.assert(
      fc.property(
        letters,
        stopStrings,
        fc.array(fc.nat(40)),
        fc.boolean(),
        fc.nat(6),
        (text, stops, cuts, include, quiet) => {
          const pieces = cut(text, cuts);
          const unarmed = pieces.slice(0, quiet).join('').length;
          const matcher = createStopMatcher(stops, include);
          let given = '';
          let stop: string | null = null;
          for (const [at, piece] of pieces.entries()) {
            const result = matcher.push(piece, at >= quiet);
            given += result.text;
            stop = result.stop;
            if (stop !== null) break;
          }
          if (stop === null) given += matcher.flush();
          else found++;
          expect({ text: given, stop }).toEqual(naive(text, stops, include, unarmed));
        },
      ),
      { numRuns: 3000 },
    );
    expect(found).toBeGreaterThan(300);
  });

  it('hold back no more than could still become a stop string', () => {
    fc.assert(
      fc.property(letters, stopStrings, (text, stops) => {
        const matcher = createStopMatcher(stops, false);
        let given = '';
        for (let at = 0; at < text.length; at++) {
          const { text: more, stop } = matcher.push(text.charAt(at), true);
          if (stop !== null) return;
          given += more;
          const held = text.slice(given.length, at + 1);
          expect(text.startsWith(given)).toBe(true);
          expect(held === '' || stops.some((candidate) => candidate.startsWith(held) && candidate !== held)).toBe(true);
        }
      }),
    );
  });

  it('hold nothing back when the stop string is shown anyway', () => {
    const matcher = createStopMatcher(['END'], true);
    expect(matcher.push('xEN', true)).toEqual({ text: 'xEN', stop: null });
    expect(matcher.push('D!', true)).toEqual({ text: 'D', stop: 'END' });
  });
});

describe('TextStream', () => {
  const tokenizer = createFakeTokenizer();
  const rules = { strings: ['é.'], includeStopString: false, minTokens: 0 };
  const push = (stream: TextStream, text: string) =>
    [...tokenizer.encode(text, { addSpecialTokens: false })].map((id) => stream.push(id));

  it('finds a stop string across characters that are several tokens', () => {
    const results = push(new TextStream(tokenizer, rules), 'aé.b').slice(0, 4);
    expect(results.map(({ text }) => text)).toEqual(['a', '', '', '']);
    expect(results.at(-1)?.stop).toBe('é.');
  });

  it('shows no special tokens', () => {
    const stream = new TextStream(tokenizer, rules);
    expect(push(stream, 'a<eos>b').map(({ text }) => text)).toEqual(['a', '', 'b']);
  });

  it('gives out what it held, with a broken character as U+FFFD', () => {
    const stream = new TextStream(tokenizer, rules);
    expect(push(stream, 'xé').map(({ text }) => text)).toEqual(['x', '', '']);
    expect(stream.flush()).toEqual({ text: 'é', stop: null });
    const broken = new TextStream(tokenizer, rules);
    broken.push(tokenizer.encode('é', { addSpecialTokens: false })[0] ?? 0);
    expect(broken.flush()).toEqual({ text: '\ufffd', stop: null });
  });

  it('looks for stop strings only after min_tokens', () => {
    const stream = new TextStream(tokenizer, { strings: ['b'], includeStopString: false, minTokens: 2 });
    expect(push(stream, 'abab').map(({ text, stop }) => text + (stop ?? ''))).toEqual(['a', 'b', 'a', 'b']);
  });
});
