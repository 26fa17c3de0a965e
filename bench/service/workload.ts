/** What the requests of a load test are drawn from. */
export interface WorkloadOptions {
  readonly count: number;
  /** Token ids that prompts are cut from. */
  readonly text: readonly number[];
  /** Mean lengths in tokens; each request's lie within `rangeRatio` of them. */
  readonly inputLength: number;
  readonly outputLength: number;
  readonly rangeRatio: number;
  /** Share of requests that are steered, 0 to 1, and how: they take one of these at random. */
  readonly steeredShare: number;
  readonly steerings: readonly object[];
}

export interface PlannedRequest {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** The body's field; null for an unsteered request. */
  readonly steering: object | null;
}

/** Requests whose lengths, prompts and steerings depend on `random` alone. */
export function planRequests(options: WorkloadOptions, random: () => number): PlannedRequest[] {
  const { text, rangeRatio, steerings } = options;
  const around = (middle: number) => Math.round(middle * (1 - rangeRatio + 2 * rangeRatio * random()));
  const below = (limit: number) => Math.floor(limit * random());
  return Array.from({ length: options.count }, () => {
    const [length, maxTokens] = [around(options.inputLength), Math.max(1, around(options.outputLength))];
    if (length < 1 || length >= text.length) throw new Error(`no prompt of ${length} tokens in ${text.length}`);
    const from = below(text.length - length);
    const steered = random() < options.steeredShare && steerings.length > 0;
    const steering = steered ? steerings[below(steerings.length)] : null;
    return { prompt: text.slice(from, from + length), maxTokens, steering };
  });
}

/** A request as `/v1/completions` takes it: greedy, and exactly so many tokens. */
export function completionBody({ prompt, maxTokens, steering }: PlannedRequest): object {
  const steered = steering ? { steering } : {};
  return { prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true, ...steered };
}
