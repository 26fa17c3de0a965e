/** First tokens of prompts so far: ordinary words, another one each time. */
let made = 0;

/**
 * A prompt of so many tokens, the text over and over, that begins as none did before in this process: nothing of it can be cached.
 */
export function freshPrompt(text: readonly number[], length: number): number[] {
  const rest = Array.from({ length: length - 1 }, (_, i) => text[i % text.length]);
  return [1000 + made++, ...rest];
}
