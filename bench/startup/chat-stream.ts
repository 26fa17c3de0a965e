import { z } from 'zod';

/** A chunk of a streamed chat completion, as far as the benchmarks look at it. */
const chunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }).optional() })),
  usage: z.object({ total_tokens: z.number() }).nullish(),
});

export interface StreamedReply {
  readonly text: string;
  /** Null where the stream did not say. */
  readonly totalTokens: number | null;
}

/** Reads a streamed chat completion to its end; `onFirst` is called at the first piece of text. Throws for any other answer. */
export async function readChatStream(response: Response, onFirst: () => void): Promise<StreamedReply> {
  if (!response.ok || !response.body) throw new Error(`status ${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let pending = '';
  let text = '';
  let totalTokens: number | null = null;
  for await (const bytes of response.body) {
    const lines = (pending + decoder.decode(bytes, { stream: true })).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) {
      const data = /^data:\s*(.*?)\r?$/.exec(line)?.[1];
      if (!data || data === '[DONE]') continue;
      const { choices, usage } = chunk.parse(JSON.parse(data));
      const content = choices[0]?.delta?.content ?? '';
      if (text === '' && content !== '') onFirst();
      text += content;
      totalTokens = usage?.total_tokens ?? totalTokens;
    }
  }
  if (text === '') throw new Error('the stream ended without any text');
  return { text, totalTokens };
}
