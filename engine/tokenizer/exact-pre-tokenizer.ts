import { byteOfCharacter } from './byte-level.ts';
import type { Component, TokenizerJson } from './tokenizer-json.ts';

/** GPT-2's splitting of text into words (encoder.py), as the tokenizers library has it in `ByteLevel`. */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * The pre-tokenizer of a tokenizer.json such that @huggingface/tokenizers 0.2 gives the ids of the original library (Rust). Null where
 * the file has none.
 */
export function exactPreTokenizer(json: TokenizerJson): Component | null {
  if (!json.pre_tokenizer) return null;
  const spelled = spellOut(json.pre_tokenizer);
  const missing = missingBytes(json);
  if (missing.length === 0) return spelled;
  // The original drops bytes that have no token before it merges, so that their neighbours can merge; this library after.
  const drop = { type: 'Replace', pattern: { Regex: `[${missing.map(escaped).join('')}]` }, content: '' };
  return { type: 'Sequence', pretokenizers: [spelled, drop] };
}

/** Characters of bytes that a byte-level vocabulary has no token for (SmolLM2's lacks 21). None where an unknown token stands in. */
function missingBytes({ decoder, model }: TokenizerJson): string[] {
  if (decoder?.type !== 'ByteLevel' || (model.unk_token ?? null) !== null) return [];
  return [...byteOfCharacter().keys()].filter((character) => !Object.hasOwn(model.vocab, character));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/**
 * Spells two pre-tokenizers out as regular expressions, with the same meaning in the original library (Rust). @huggingface/tokenizers
 * 0.2 runs their short forms with JavaScript's `\d` (ASCII only) and `\s` (U+FEFF is space, U+0085 is not), which gives other tokens
 * for digits of other scripts, superscripts and those two characters; in patterns of its `Split` it uses the original's classes.
 */
function spellOut(component: Component): Component {
  switch (component.type) {
    case 'Sequence':
      return Array.isArray(component.pretokenizers)
        ? { ...component, pretokenizers: component.pretokenizers.map(spellOut) }
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
