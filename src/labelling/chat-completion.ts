import { z } from 'zod';
import type { ChatPrompt } from '../../sae-registry/labelling/index.ts';

/** What is read of an answer; whatever else an endpoint sends is passed over. */
const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
  usage: z
    .object({ prompt_tokens: z.number().nonnegative(), completion_tokens: z.number().nonnegative() })
    .nullish()
    .catch(null),
});

export interface ChatCompletion {
  /** Empty where the model said nothing. */
  readonly text: string;
  /** Null where the endpoint does not say. */
  readonly usage: { readonly prompt: number; readonly answer: number } | null;
}

/** Null for what is no chat completion. */
export function parseChatCompletion(body: string): ChatCompletion | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  const parsed = completionSchema.safeParse(value);
  if (!parsed.success) return null;
  const { choices, usage } = parsed.data;
  return {
    text: choices[0]?.message.content ?? '',
    usage: usage ? { prompt: usage.prompt_tokens, answer: usage.completion_tokens } : null,
  };
}

/** What models refuse to be told: those of OpenAI that think take no temperature, and another name for the longest answer. */
export interface Dialect {
  readonly lengthField: 'max_tokens' | 'max_completion_tokens';
  readonly temperature: boolean;
}

export const usualDialect: Dialect = { lengthField: 'max_tokens', temperature: true };

export function requestBody(model: string, prompt: ChatPrompt, answerTokens: number, dialect: Dialect): string {
  return JSON.stringify({
    model,
    messages: [
      { role: 'system', content: prompt.system },
      { role: 'user', content: prompt.user },
    ],
    [dialect.lengthField]: answerTokens,
    ...(dialect.temperature ? { temperature: 0 } : {}),
  });
}

/** The dialect to try next after a refusal that names a field; null where the refusal has another reason. */
export function dialectAfter(refusal: string, dialect: Dialect): Dialect | null {
  if (dialect.lengthField === 'max_tokens' && /max_completion_tokens/.test(refusal))
    return { ...dialect, lengthField: 'max_completion_tokens' };
  return dialect.temperature && /temperature/.test(refusal) ? { ...dialect, temperature: false } : null;
}
