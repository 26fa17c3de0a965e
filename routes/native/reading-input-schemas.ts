import { z } from '@hono/zod-openapi';
import { messageSchema } from './reading-prompt.ts';

/** Inputs of one request. */
export const mostInputs = 256;

const oneInput = {
  text: z.string().min(1).optional().openapi({
    description: 'Plain text; the tokenizer puts before it what it puts before every text.',
    example: 'The cat sat on the mat and purred.',
  }),
  messages: z.array(messageSchema).min(1).optional().openapi({ description: 'Instead of text: a conversation.' }),
  token_ids: z.array(z.int().min(0)).min(1).optional().openapi({ description: 'Instead of text: tokens as they are.' }),
  add_generation_prompt: z.boolean().optional().openapi({
    description:
      'Of messages: whether they end where the assistant’s answer begins. Default: only where something is generated.',
  }),
};

/** One input: exactly one of text, messages and token ids. */
export const readingInputSchema = z.strictObject(oneInput).openapi('ReadingInput');

/** Fields of a body that reads one input (at its top level) or a batch of them (`inputs`); `toReadingInputs` takes them. */
export const readingInputFields = {
  ...oneInput,
  inputs: z
    .array(readingInputSchema)
    .min(1)
    .max(mostInputs)
    .optional()
    .openapi({ description: 'Instead of a single input: a batch of them.' }),
};

export type ReadingInputBody = z.infer<typeof readingInputSchema>;
export type ReadingInputsBody = ReadingInputBody & { readonly inputs?: readonly ReadingInputBody[] };

/** A token of an answer, with where it stands. */
export const readTokenSchema = z
  .object({
    position: z.int().openapi({ description: 'From the beginning of the input, all of its tokens counted.' }),
    id: z.int(),
    text: z.string().openapi({ description: 'Bytes that are not UTF-8 on their own show as U+FFFD.' }),
    start: z.int().nullable().openapi({
      description:
        'First character (Unicode code point) in the text or in the message’s content; null for a token that is no part of it. Pieces of one character share its place.',
    }),
    end: z.int().nullable().openapi({ description: 'One past its last character.' }),
    message: z
      .int()
      .nullable()
      .openapi({ description: 'Of a conversation the message; null for the template’s tokens.' }),
    role: z.string().nullable().openapi({ description: 'That message’s role.' }),
  })
  .openapi('ReadToken');

export type ReadToken = z.infer<typeof readTokenSchema>;
