import { z } from '@hono/zod-openapi';
import { readingPlanFields } from './reading-plan.ts';

const positionsSchema = z
  .union([
    z.enum(['all', 'last']),
    z.array(z.int().min(0)).min(1).max(4096),
    z.strictObject({ from: z.int().min(0), to: z.int().min(1) }),
  ])
  .openapi({
    description:
      'Of each input: all of its tokens, its last (of a reply: the last that is read), a list of positions, or a half-open range of them.',
    example: 'last',
  });

export const tapsRequestSchema = z
  .strictObject({
    ...readingPlanFields,
    hook_points: z
      .array(z.string().min(1))
      .min(1)
      .max(256)
      .openapi({
        description: 'Any that `GET /api/v1/models/{model}/hook-points` lists, under any of its names.',
        example: ['blocks.12.hook_resid_post'],
      }),
    positions: positionsSchema.default('all'),
    dtype: z.enum(['f32', 'f16']).default('f32').openapi({
      description: 'f16 halves the answer; numbers beyond 65504 become infinite, and the file’s metadata counts them.',
    }),
    max_bytes: z
      .int()
      .min(1)
      .optional()
      .openapi({ description: 'The request’s own budget for the answer; never more than the service’s, 256 MB.' }),
  })
  .openapi('TapsRequest', {
    example: { text: 'My cat chased the other cats.', hook_points: ['blocks.12.hook_resid_post'], positions: 'last' },
  });

export type TapsRequest = z.infer<typeof tapsRequestSchema>;
export type TapPositions = TapsRequest['positions'];
