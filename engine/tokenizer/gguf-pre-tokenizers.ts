/** What a GGUF file means by the name of its pre-tokenizer, in tokenizer.json's words. */
export interface GgufPreTokenizer {
  readonly preTokenizer: object;
  /** What is done to text first. Files do not state it; it is that of the published tokenizers of the name. */
  readonly normalizer: object | null;
  /** A word that is a token is that token, whatever its merges give. */
  readonly ignoresMerges: boolean;
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const nfc = { type: 'NFC' };

function plain(preTokenizer: object, normalizer: object | null = null): GgufPreTokenizer {
  return { preTokenizer, normalizer, ignoresMerges: false };
}

/** Words by a pattern of the tokenizer's own, then bytes. */
function splitting(regex: string): object {
  const split = { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
  return { type: 'Sequence', pretokenizers: [split, { ...byteLevel, use_regex: false }] };
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
/** The published patterns of Llama 3 and of Qwen2 differ in how many digits stand together. */
const wordsWithDigits = (digits: string) => splitting(`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}${rest}`);

const llama3: GgufPreTokenizer = {
  preTokenizer: wordsWithDigits('\\p{N}{1,3}'),
  normalizer: null,
  ignoresMerges: true,
};

/** By llama.cpp's names (llama-vocab.cpp). `olmo` and `mpt` are what its converter calls the tokenizer of GPT-NeoX and Pythia. */
export const ggufPreTokenizers: Readonly<Record<string, GgufPreTokenizer>> = {
  'gpt-2': plain(byteLevel),
  olmo: plain(byteLevel, nfc),
  mpt: plain(byteLevel, nfc),
  smollm: plain({ type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] }),
  qwen2: plain(wordsWithDigits('\\p{N}'), nfc),
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
};

/** The decoder of byte-level tokenizers. */
export const byteLevelDecoder: object = byteLevel;
