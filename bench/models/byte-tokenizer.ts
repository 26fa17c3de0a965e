import { byteOfCharacter } from '../../engine/tokenizer/byte-level.ts';

const endOfText = '<|endoftext|>';

/**
 * `count` tokens: the bytes of a byte-level vocabulary, and names that no text has, because a service takes no ids without a token. There
 * are no merges, the first token is special.
 */
export function byteTokens(count: number): readonly string[] {
  const meant = [endOfText, ...byteOfCharacter().keys()];
  return Array.from({ length: count }, (_, id) => meant[id] ?? `<unused${id}>`);
}

/** The same as a tokenizer.json. */
export function byteTokenizerJson(count: number): object {
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
    model: { type: 'BPE', vocab: Object.fromEntries(byteTokens(count).map((token, id) => [token, id])), merges: [] },
  };
}
