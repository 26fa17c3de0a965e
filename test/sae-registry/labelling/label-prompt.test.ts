import { describe, expect, it } from 'vitest';
import { labelPrompt } from '../../../sae-registry/labelling/label-prompt.ts';
import { firingTokens, markedText, passageText } from '../../../sae-registry/labelling/passage.ts';
import { splitPassages } from '../../../sae-registry/labelling/split-passages.ts';
import { passage } from './passages.ts';

const many = Array.from({ length: 40 }, (_, rank) => passage(`passage ${rank} with a [cat] in it`, 40 - rank));

describe('a passage', () => {
  it('stands on one line', () => {
    expect(passageText({ tokens: [' a', '\n', 'b\r\n', '\tc'] })).toBe('a\\nb\\n\\tc');
  });

  it('marks runs of firing tokens once, spaces outside', () => {
    expect(markedText(['the', ' black', ' cat', ' sat'], [false, true, true, false])).toBe('the <<black cat>> sat');
    expect(markedText(['a', '\n', 'b'], [false, true, false])).toBe('a<<\\n>>b');
  });

  it("does not let the text's own signs pass for marks", () => {
    expect(markedText(['cout', ' <', '<', ' x', ' >>', '>'], [true, false, false, false, false, false])).toBe(
      '<<cout>> < < x > > >',
    );
  });

  it('fires where the activation is at least 0.3 of its peak', () => {
    const values = Float32Array.of(0, 2.9, 3.1, 10);
    expect(firingTokens({ tokens: ['a', 'b', 'c', 'd'], values, peak: 10 })).toEqual([false, false, true, true]);
    expect(firingTokens({ tokens: ['a'], values: null, peak: 10 })).toBeNull();
  });
});

describe('the question for a label', () => {
  const prompt = labelPrompt({ feature: 3, passages: many, topLogits: [' purr', '"'], topTokens: [' cat'] });

  it('shows the strongest passages, some weaker ones, top tokens and top logits', () => {
    const numbered = prompt.user.split('\n').filter((line) => /^\d+\. /.test(line));
    expect(numbered).toHaveLength(15);
    expect(numbered[0]).toBe('1. passage 0 with a <<cat>> in it');
    expect(numbered.slice(10).map((line) => Number(/passage (\d+)/.exec(line)?.[1]))).toEqual([20, 24, 30, 34, 38]);
    expect(prompt.user).toContain('It is active most often on: " cat"');
    expect(prompt.user).toContain('It makes likelier: " purr", "\\""');
  });

  it('shows none that scoring holds out', () => {
    const { heldOut } = splitPassages(many);
    expect(heldOut).toHaveLength(20);
    for (const held of heldOut) expect(prompt.user).not.toContain(`${held.tokens.slice(0, 3).join('')} with`);
  });

  it('leaves out what is not known, and shows few passages whole', () => {
    const bare = { tokens: ['only', ' text'], values: null, peak: 3 };
    const { user } = labelPrompt({ feature: 0, passages: [bare], topLogits: [], topTokens: [] });
    expect(user).toBe('Passages on which it is most active:\n1. only text\n\n\nThe JSON with its label:');
    expect(splitPassages(many.slice(0, 7))).toEqual({ shown: many.slice(0, 7), heldOut: [] });
  });
});
