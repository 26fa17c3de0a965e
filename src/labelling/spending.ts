/** Dollars for a million tokens. */
export interface Prices {
  readonly prompt: number | null;
  readonly answer: number | null;
}

export interface TokenCount {
  readonly prompt: number;
  readonly answer: number;
}

/** Tokens of a text, roughly: nobody knows the endpoint's tokenizer. Four bytes of English make one. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** Dollars; null where no price is known. */
export function cost(tokens: TokenCount, { prompt, answer }: Prices): number | null {
  if (prompt === null && answer === null) return null;
  return (tokens.prompt * (prompt ?? 0) + tokens.answer * (answer ?? 0)) / 1e6;
}

/** `1,234 tokens of prompts and 56 of answers, $0.0012`. */
export function describeTokens(tokens: TokenCount, prices: Prices): string {
  const dollars = cost(tokens, prices);
  const amount = dollars === null ? '' : `, $${dollars.toFixed(dollars < 1 ? 4 : 2)}`;
  return `${number(tokens.prompt)} tokens of prompts and ${number(tokens.answer)} of answers${amount}`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** What the requests of a run took. */
export class Spending {
  requests = 0;
  prompt = 0;
  answer = 0;
  /** Answers that did not say what they took: theirs is an estimate. */
  estimated = 0;

  add(tokens: TokenCount, isEstimate: boolean): void {
    this.requests++;
    this.prompt += tokens.prompt;
    this.answer += tokens.answer;
    if (isEstimate) this.estimated++;
  }
}
