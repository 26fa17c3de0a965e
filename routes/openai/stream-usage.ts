import type { Usage } from './schemas/common.ts';
import type { CompletionRequest } from './schemas/completions.ts';
import type { Tally } from './tally.ts';

/**
 * How `stream_options` wants usage told. With `include_usage` a chunk of its own ends the stream and every other chunk says
 * null; with `continuous_usage_stats` (vLLM's) every chunk has the count so far.
 */
export class StreamUsage {
  /** Whether a usage chunk ends the stream. */
  readonly last: boolean;
  readonly #continuous: boolean;
  readonly #tally: Tally;

  constructor(options: CompletionRequest['stream_options'], tally: Tally) {
    this.last = options?.include_usage ?? false;
    this.#continuous = this.last && (options?.continuous_usage_stats ?? false);
    this.#tally = tally;
  }

  /** The usage field of an ordinary chunk. */
  each(): { readonly usage?: Usage | null } {
    if (this.#continuous) return { usage: this.#tally.usage() };
    return this.last ? { usage: null } : {};
  }
}
