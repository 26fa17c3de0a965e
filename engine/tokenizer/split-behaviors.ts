import { z } from 'zod';
import { TillerError } from '../core/index.ts';
import type { Component } from './tokenizer-json.ts';

const schema = z.looseObject({
  pattern: z.union([z.object({ Regex: z.string() }), z.object({ String: z.string() })]),
  behavior: z.string(),
  invert: z.boolean().default(false),
});

/**
 * A `Split` of tokenizer.json as one that @huggingface/tokenizers 0.2 runs like the original: that library knows `Isolated`, and
 * `Removed` where the pattern says what to keep, and takes every other behavior for `Isolated`. Those that join a match to its
 * neighbour are put into the pattern; the rest is refused (`checkpoint_unsupported`).
 */
export function spellOutSplit(path: string, component: Component): Component {
  const parsed = schema.safeParse(component);
  if (!parsed.success) {
    throw new TillerError(
      'checkpoint_invalid',
      `${path}: a pre-tokenizer of type Split: ${z.prettifyError(parsed.error)}`,
    );
  }
  const { pattern, behavior, invert } = parsed.data;
  const regex = 'Regex' in pattern ? caseSpelledOut(pattern.Regex) : escapedRegex(pattern.String);
  const other = `(?:(?!${regex})[\\s\\S])*`;
  // isolated pieces are the same whether the pattern says what is between them or what they are
  if (behavior === 'Isolated') return splitAt(regex);
  // the end of the text is a match too: else a text without any would be gone through once for each of its characters
  if (behavior === 'MergedWithPrevious' && !invert) return splitAt(`${other}(?:${regex}|\\z)`);
  if (behavior === 'MergedWithNext' && !invert) return splitAt(`(?:${regex})${other}`);
  if (behavior === 'Removed' && invert) {
    return { type: 'Split', pattern: { Regex: regex }, behavior: 'Removed', invert: true };
  }
  throw new TillerError(
    'checkpoint_unsupported',
    `${path}: the pre-tokenizer Split with behavior '${behavior}'${invert ? ', inverted,' : ''} is not supported. ` +
      'Isolated, MergedWithPrevious, MergedWithNext and inverted Removed are.',
  );
}

/** A split that makes a piece of every match and of what lies between two. */
export function splitAt(regex: string): Component {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/** Letters that have a third form besides lower and upper case. */
const thirdForms: Readonly<Record<string, string>> = { k: '\u212a', s: '\u017f' };

/** `(?i:…)` around plain words, as GPT-4's splitting has it; the library spells it out for ASCII alone. */
function caseSpelledOut(regex: string): string {
  return regex.replace(/\(\?i:([A-Za-z'|]*)\)/g, (_, words: string) => `(?:${words.replace(/[A-Za-z]/g, anyCase)})`);
}

function anyCase(letter: string): string {
  const lower = letter.toLowerCase();
  return `[${lower}${lower.toUpperCase()}${thirdForms[lower] ?? ''}]`;
}

function escapedRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
