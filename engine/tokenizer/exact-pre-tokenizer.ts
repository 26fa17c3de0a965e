import { TillerError } from '../core/index.ts';
import { byteOfCharacter } from './byte-level.ts';
import { spellOutSplit, splitAt } from './split-behaviors.ts';
import { type Component, isComponent, type TokenizerJson } from './tokenizer-json.ts';

/** GPT-2's splitting of text into words (encoder.py), as the tokenizers library has it in `ByteLevel`. */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * The pre-tokenizer of a tokenizer.json such that @huggingface/tokenizers 0.2 gives the ids of the original library (Rust). Null where
 * the file has none. Kinds for which that is not shown are refused by name (`checkpoint_unsupported`), even where the library has
 * something under the same name: its `Whitespace`, say, splits with JavaScript's `\w`.
 */
export function exactPreTokenizer(path: string, json: TokenizerJson): Component | null {
  if (!json.pre_tokenizer) return null;
  const spelled = spellOut(path, json.pre_tokenizer);
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
 * Spells pre-tokenizers out as regular expressions, with the same meaning in the original library (Rust). @huggingface/tokenizers
 * 0.2 runs the short forms with JavaScript's `\d` (ASCII only) and `\s` (U+FEFF is space, U+0085 is not), which gives other tokens
 * for digits of other scripts, superscripts and those two characters; in patterns of its `Split` it uses the original's classes.
 */
function spellOut(path: string, component: Component): Component {
  switch (component.type) {
    case 'Sequence':
      return sequence(components(path, component).map((step) => spellOut(path, step)));
    case 'Digits':
      return splitAt(component.individual_digits === true ? '\\p{N}' : '\\p{N}+');
    case 'ByteLevel':
      return byteLevel(component);
    case 'Metaspace':
      return metaspace(component);
    case 'Split':
      return spellOutSplit(path, component);
    default:
      throw new TillerError(
        'checkpoint_unsupported',
        `${path}: the pre-tokenizer '${component.type}' is not supported. ByteLevel, Digits, Metaspace, Split and sequences of them are.`,
      );
  }
}

function components(path: string, { pretokenizers }: Component): Component[] {
  if (!Array.isArray(pretokenizers) || !pretokenizers.every(isComponent)) {
    throw new TillerError('checkpoint_invalid', `${path}: a pre-tokenizer of type Sequence lists no pretokenizers.`);
  }
  return pretokenizers;
}

/** A prefix space comes before the splitting: it goes to the start of what does not begin with one. */
function byteLevel(component: Component): Component {
  const prefix = { type: 'Replace', pattern: { Regex: '\\A[^ ]' }, content: ' $&' };
  return sequence([
    ...(component.add_prefix_space === false ? [] : [prefix]),
    ...(component.use_regex === false ? [] : [splitAt(gpt2Words)]),
    { ...component, add_prefix_space: false, use_regex: false },
  ]);
}

/** SentencePiece's spaces. Where it splits, which is its default, every U+2581 begins a piece; this library's never does. */
function metaspace(component: Component): Component {
  const replacement = typeof component.replacement === 'string' ? component.replacement : '\u2581';
  if (component.split === false) return component;
  const begins = { pattern: { String: replacement }, behavior: 'MergedWithNext', invert: false };
  return sequence([component, spellOutSplit('', { type: 'Split', ...begins })]);
}

function sequence(pretokenizers: readonly Component[]): Component {
  return { type: 'Sequence', pretokenizers };
}
