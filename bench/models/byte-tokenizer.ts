import { byteOfCharacter } from '../../engine/tokenizer/byte-level.ts';

const endOfText = '<|endoftext|>';

/** The tokens of a byte-level vocabulary without merges, the first one special: the least that a model can be served with. */
export function byteTokens(): readonly string[] {
  return [endOfText, ...byteOfCharacter().keys()];
}

/** The same as a tokenizer.json. */
export function byteTokenizerJson(): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const special = { id: 0, content: endOfText, single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [{ ...special, special: true }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab: Object.fromEntries(byteTokens().map((token, id) => [token, id])), merges: [] },
  };
}
