import { z } from '@hono/zod-openapi';
import { steeringBlockSchema } from '../../http/steering-schema.ts';

export const usageSchema = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({
      cached_tokens: z
        .int()
        .openapi({ description: 'Prompt tokens that were not computed again: an earlier request had them.' }),
    }),
  })
  .openapi('Usage');

export type Usage = z.infer<typeof usageSchema>;

export const warningSchema = z.object({ param: z.string(), message: z.string() }).openapi('Warning');

export const finishReasonSchema = z
  .enum(['stop', 'length', 'rule'])
  .openapi({ description: '`rule`: a rule of `steering.rules` that stops; `stop_reason` says which.' });

/** What every answer, and every chunk of one, begins with. */
export const answerHeadFields = <Name extends string>(object: Name) => ({
  id: z.string(),
  object: z.literal(object),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
});

/** What comes with an answer as a whole; in a stream, with the finish chunk of the last choice. */
export const answerExtras = {
  seed: z.int().optional().openapi({ description: 'The seed of each prompt’s first choice, given or drawn.' }),
  steering: steeringBlockSchema.optional(),
  warnings: z.array(warningSchema).readonly().optional().openapi({ description: 'Fields that had no effect.' }),
} as const;

/** vLLM's addition to a choice: the stop string or token id that ended it, null for the model's own end. */
export const stopReasonSchema = z.union([z.string(), z.int()]).nullable();
