import type { Component } from './tokenizer-json.ts';

/** GPT-2's splitting of text into words (encoder.py), as the tokenizers library has it in `ByteLevel`. */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Spells two pre-tokenizers out as regular expressions, with the same meaning in the original library (Rust). @huggingface/tokenizers
 * 0.2 runs their short forms with JavaScript's `\d` (ASCII only) and `\s` (U+FEFF is space, U+0085 is not), which gives other tokens
 * for digits of other scripts, superscripts and those two characters; in patterns of its `Split` it uses the original's classes.
 */
export function exactPreTokenizer(component: Component): Component {
  switch (component.type) {
    case 'Sequence':
      return Array.isArray(component.pretokenizers)
        ? { ...component, pretokenizers: component.pretokenizers.map(exactPreTokenizer) }
        : component;
    case 'Digits':
      return split(component.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    case 'ByteLevel':
      // a prefix space comes before the splitting, which a sequence cannot say
      if (component.use_regex === false || component.add_prefix_space === true) return component;
      return { type: 'Sequence', pretokenizers: [split(gpt2Words), { ...component, use_regex: false }] };
    default:
      return component;
  }
}

function split(regex: string): Component {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}
