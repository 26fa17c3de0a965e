import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { type DetokenizeStream, TillerError, type Tokenizer } from '../core/index.ts';
import { startToken, withoutDoubledStart } from './single-start.js';
import { type TokenBytes, tokenBytes } from './token-bytes.ts';
import type { TokenizerJson } from './tokenizer-json.ts';
import { Utf8DetokenizeStream } from './utf8-stream.ts';

/** What is used of the library. Its type declarations do not resolve under Node's module rules, so they are stated here. */
interface Encoder {
  encode(
    text: string,
    options: { readonly add_special_tokens: boolean },
  ): { readonly ids: readonly (number | undefined)[] };
}

/**
 * Encodes with @huggingface/tokenizers, decodes from exact token bytes. `clean_up_tokenization_spaces` is not applied: decoding gives
 * what the tokens say. Characters that the vocabulary has no token for are dropped where the tokenizer names no unknown token, as in
 * the original library.
 */
export class BpeTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly specialTokenIds: ReadonlySet<number>;
  /** What the tokenizer itself puts before every text; null where it puts nothing. */
  readonly startToken: number | null;
  readonly #library: Encoder;
  readonly #bytes: TokenBytes;

  /** `forLibrary` is `json` as the library has to read it, `config` tokenizer_config.json. */
  constructor(path: string, json: TokenizerJson, forLibrary: object, config: object) {
    this.#bytes = tokenBytes(path, json);
    this.vocabularySize = this.#bytes.size;
    this.specialTokenIds = new Set(json.added_tokens.filter(({ special }) => special).map(({ id }) => id));
    try {
      this.#library = new LibraryTokenizer(forLibrary, config);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new TillerError('checkpoint_unsupported', `${path}: its tokenizer cannot be built: ${reason}.`, {
        cause: error,
      });
    }
    this.startToken = startToken(this.#encode('a', false), this.#encode('a', true));
  }

  encode(text: string, { addSpecialTokens }: { readonly addSpecialTokens: boolean }): Int32Array {
    const ids = this.#encode(text, addSpecialTokens);
    return addSpecialTokens ? withoutDoubledStart(ids, this.startToken) : ids;
  }

  #encode(text: string, addSpecialTokens: boolean): Int32Array<ArrayBuffer> {
    const { ids } = this.#library.encode(text, { add_special_tokens: addSpecialTokens });
    return Int32Array.from(ids.filter((id) => id !== undefined));
  }

  decode(ids: ArrayLike<number>, options: { readonly skipSpecial: boolean }): string {
    const stream = this.stream(options);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += stream.push(ids[i]);
    return text + stream.flush();
  }

  tokenText(id: number): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#bytes.get(id));
  }

  tokenBytes(id: number): Uint8Array {
    return this.#bytes.get(id).slice();
  }

  stream(options: { readonly skipSpecial: boolean }): DetokenizeStream {
    return new Utf8DetokenizeStream(this.#bytes, options.skipSpecial ? this.specialTokenIds : null);
  }
}
