import type { StopRules } from './core/request.ts';
import type { Tokenizer } from './core/tokenizer.ts';
import { createStopMatcher, type StopMatcher, type StopResult } from './stop-strings.ts';

/** The text of a reply as its tokens arrive: whole characters only, special tokens left out, ended by stop strings. */
export class TextStream {
  readonly #detokenize: ReturnType<Tokenizer['stream']>;
  readonly #stops: StopMatcher;
  readonly #minTokens: number;
  #tokens = 0;

  constructor(tokenizer: Tokenizer, rules: Pick<StopRules, 'strings' | 'includeStopString' | 'minTokens'>) {
    this.#detokenize = tokenizer.stream({ skipSpecial: true });
    this.#stops = createStopMatcher(rules.strings, rules.includeStopString);
    this.#minTokens = rules.minTokens;
  }

  /** Adds a token. A stop string counts only where its end came after the first `minTokens` tokens. */
  push(tokenId: number): StopResult {
    this.#tokens++;
    return this.#stops.push(this.#detokenize.push(tokenId), this.#tokens > this.#minTokens);
  }

  /** The rest, when no stop string ended the reply. The rest may itself complete one (an incomplete character: U+FFFD). */
  flush(): StopResult {
    const { text, stop } = this.#stops.push(this.#detokenize.flush(), this.#tokens > this.#minTokens);
    return { text: stop === null ? text + this.#stops.flush() : text, stop };
  }
}
