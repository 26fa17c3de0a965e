import { z } from 'zod';

const ids = z.array(z.number().int());

/** What bench/decode.ts asks the workers. bench/peers/llama.mjs answers `load`, `decode`, `prefill` and `greedy` in the same way. */
export const workerRequest = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('load'),
    path: z.string(),
    cacheDirectory: z.string(),
    threads: z.number(),
    rows: z.number(),
    context: z.number(),
  }),
  /** Token ids of a text's beginning, and of a question in the model's chat form. */
  z.object({ op: z.literal('tokens'), text: z.string(), question: z.string() }),
  /** Continues `rows` copies of a prompt by `steps` tokens each, the prompt's computation not counted. */
  z.object({
    op: z.literal('decode'),
    path: z.enum(['model', 'service']),
    prompt: ids,
    rows: z.number(),
    steps: z.number(),
    edits: z.number(),
  }),
  /** From a prompt to its first token, with nothing cached. */
  z.object({ op: z.literal('prefill'), prompt: ids }),
  z.object({ op: z.literal('greedy'), prompt: ids, tokens: z.number() }),
]);
export type WorkerRequest = z.infer<typeof workerRequest>;

export const timing = z.object({ seconds: z.number().positive(), tokens: z.number().positive() });
export type Timing = z.infer<typeof timing>;
export const continuation = z.object({ tokens: ids, text: z.string() });
export const tokensReply = z.object({ text: ids, question: ids });
