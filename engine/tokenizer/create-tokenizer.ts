import type { Checkpoint } from '../checkpoint/index.ts';
import { TillerError, type Tokenizer } from '../core/index.ts';
import { BpeTokenizer } from './bpe-tokenizer.ts';
import { tokenizerJsonFromGguf } from './gguf-tokenizer-json.ts';
import { parseTokenizerJson } from './tokenizer-json.ts';

/**
 * The checkpoint's tokenizer, from tokenizer.json or from GGUF metadata. Throws `checkpoint_invalid` where there is none or it is
 * malformed, `checkpoint_unsupported` for kinds that this version does not do, by name.
 */
export async function createTokenizer(
  checkpoint: Pick<Checkpoint, 'path' | 'tokenizerFiles' | 'config'>,
): Promise<Tokenizer> {
  const { path, tokenizerFiles: files, config } = checkpoint;
  if (files === null) {
    throw new TillerError('checkpoint_invalid', `${path} has no tokenizer: put tokenizer.json beside the weights.`);
  }
  const json = files.kind === 'gguf' ? tokenizerJsonFromGguf(path, files) : files.tokenizer;
  const tokenizerConfig = files.kind === 'gguf' ? {} : (files.tokenizerConfig ?? {});
  if (typeof tokenizerConfig !== 'object' || Array.isArray(tokenizerConfig)) {
    throw new TillerError('checkpoint_invalid', `${path}: tokenizer_config.json is not an object.`);
  }
  return new BpeTokenizer(path, parseTokenizerJson(path, json, config.vocabularySize), tokenizerConfig);
}
