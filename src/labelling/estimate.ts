import type { ChatPrompt } from '../../sae-registry/labelling/index.ts';
import { estimateTokens, type TokenCount } from './spending.ts';

/** Prompts that are written out for an estimate. */
const sampled = 50;

export interface Estimate extends TokenCount {
  readonly requests: number;
}

/** What items will take, from the questions of some of them at equal distances. Answers count with the longest. */
export function estimateWork<T>(
  items: readonly T[],
  promptsOf: (item: T) => readonly ChatPrompt[],
  answerTokens: number,
): Estimate {
  const count = Math.min(sampled, items.length);
  let [requests, prompt] = [0, 0];
  for (let i = 0; i < count; i++) {
    for (const { system, user } of promptsOf(items[Math.floor((i * items.length) / count)] as T)) {
      requests++;
      prompt += estimateTokens(system + user);
    }
  }
  const scale = count === 0 ? 0 : items.length / count;
  const asked = Math.round(requests * scale);
  return { requests: asked, prompt: Math.round(prompt * scale), answer: asked * answerTokens };
}
