import type { Checkpoint } from '../checkpoint/index.ts';
import { type PromptEncoder, TillerError, type Tokenizer } from '../core/index.ts';
import { BpeTokenizer } from './bpe-tokenizer.ts';
import { exactPreTokenizer } from './exact-pre-tokenizer.ts';
import { tokenizerJsonFromGguf } from './gguf-tokenizer-json.ts';
import { knownNormalizer } from './known-normalizer.ts';
import { ThreadEncoder } from './thread-encoder.ts';
import { parseTokenizerJson } from './tokenizer-json.ts';

type TokenizedCheckpoint = Pick<Checkpoint, 'path' | 'tokenizerFiles' | 'config'>;

/**
 * The checkpoint's tokenizer, from tokenizer.json or from GGUF metadata. Throws `checkpoint_invalid` where there is none or it is
 * malformed, `checkpoint_unsupported` for kinds that this version does not do, by name.
 */
export async function createTokenizer(checkpoint: TokenizedCheckpoint): Promise<Tokenizer> {
  return (await openTokenizer(checkpoint)).tokenizer;
}

/** The same with what encodes long texts on another thread. */
export async function openTokenizer(
  checkpoint: TokenizedCheckpoint,
): Promise<{ readonly tokenizer: Tokenizer; readonly encoder: PromptEncoder }> {
  const { path, tokenizerFiles: files, config } = checkpoint;
  if (files === null) {
    throw new TillerError('checkpoint_invalid', `${path} has no tokenizer: put tokenizer.json beside the weights.`);
  }
  const given = files.kind === 'gguf' ? tokenizerJsonFromGguf(path, files) : files.tokenizer;
  const tokenizerConfig = files.kind === 'gguf' ? {} : (files.tokenizerConfig ?? {});
  if (typeof tokenizerConfig !== 'object' || Array.isArray(tokenizerConfig)) {
    throw new TillerError('checkpoint_invalid', `${path}: tokenizer_config.json is not an object.`);
  }
  const json = parseTokenizerJson(path, given, config.vocabularySize);
  const forLibrary = {
    ...json,
    pre_tokenizer: exactPreTokenizer(path, json),
    normalizer: knownNormalizer(path, json.normalizer),
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
  };
  const tokenizer = new BpeTokenizer(path, json, forLibrary, tokenizerConfig);
  const source = () => JSON.stringify({ tokenizer: forLibrary, config: tokenizerConfig, start: tokenizer.startToken });
  return { tokenizer, encoder: new ThreadEncoder(tokenizer, source) };
}
