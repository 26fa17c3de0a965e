import { z } from '@hono/zod-openapi';
import { namedTokenSchema, positionListSchema } from './intervention-schemas.ts';
import { mostInputs, readingInputFields, readingInputSchema } from './reading-input-schemas.ts';

/** Words for positions, as `steering` has them: `generated` begins with the prompt's last token. */
const positionWords = ['all', 'all_but_first', 'prompt', 'generated', 'last'] as const;
/** Where a word stands for nothing but prompt tokens. */
const promptWords = ['prompt', 'last'] as const;

const positionsSchema = z
  .union([z.enum(positionWords), positionListSchema])
  .default('all_but_first')
  .openapi({
    description: '`generated`: every position that predicts a generated token, the prompt’s last among them.',
  });
const promptPositionsSchema = z
  .union([z.enum(promptWords), positionListSchema])
  .default('prompt')
  .openapi({ description: 'Of the prompt alone; `prompt`: all but the first.' });

const hookPoint = z.string().min(1).openapi({ example: 'blocks.12.hook_resid_post' });

const patchSchema = z
  .strictObject({
    kind: z.literal('patch'),
    hook_point: hookPoint,
    positions: promptPositionsSchema,
    values: z
      .array(z.array(z.number()).min(1))
      .min(1)
      .optional()
      .openapi({ description: 'A row of numbers for each position, in their order, or one row for all.' }),
    data: z.string().min(1).optional().openapi({ description: 'The same as base64 of little-endian float32.' }),
    from: readingInputSchema
      .extend({
        positions: positionListSchema
          .optional()
          .openapi({ description: 'As many as `positions` names. Default: the same ones.' }),
      })
      .optional()
      .openapi({
        description: 'Instead of values: another input, whose run’s own values at the hook point are taken.',
      }),
  })
  .openapi('PatchIntervention');

const zeroSchema = z
  .strictObject({ kind: z.literal('zero'), hook_point: hookPoint, positions: positionsSchema })
  .openapi('ZeroIntervention');

const meanSchema = z
  .strictObject({
    kind: z.literal('mean'),
    hook_point: hookPoint,
    positions: positionsSchema,
    over: z.array(readingInputSchema).min(1).max(mostInputs).optional().openapi({
      description: 'Inputs over whose tokens the mean is taken, all but each one’s first. Default: the prompt itself.',
    }),
  })
  .openapi('MeanIntervention');

const spliceSchema = z
  .strictObject({
    kind: z.literal('splice'),
    source: z.string().min(1).openapi({ description: 'A source by name or id.', example: '17-res-4k' }),
    positions: promptPositionsSchema,
    error_term: z.boolean().default(false).openapi({
      description: 'Whether what the reconstruction leaves out is added again: then nothing changes but by rounding.',
    }),
  })
  .openapi('SpliceIntervention');

export const interventionSchema = z.discriminatedUnion('kind', [patchSchema, zeroSchema, meanSchema, spliceSchema]);
export type InterventionBody = z.infer<typeof interventionSchema>;
export type PatchBody = z.infer<typeof patchSchema>;
export type PositionsBody = z.infer<typeof positionsSchema> | z.infer<typeof promptPositionsSchema>;

const { inputs: _, ...oneInput } = readingInputFields;

export const interventionsRequestSchema = z
  .strictObject({
    model: z.string().min(1).optional().openapi({ description: 'Default: the first model.' }),
    ...oneInput,
    interventions: z.array(interventionSchema).min(1).max(64).openapi({
      description: 'Made in the model’s order, whatever order they are named in.',
    }),
    tokens: z
      .array(namedTokenSchema)
      .max(64)
      .default([])
      .openapi({ description: 'Tokens whose logits after the prompt are told.' }),
    top: z.int().min(0).max(256).default(10).openapi({ description: 'How many of the likeliest tokens are told.' }),
    max_tokens: z.int().min(0).default(0).openapi({ description: 'Length of a reply, greedy; 0: none.' }),
  })
  .openapi('InterventionsRequest', {
    example: {
      text: 'The capital of France is',
      interventions: [
        { kind: 'zero', hook_point: 'blocks.3.mlp.hook_out', positions: 'all_but_first' },
        { kind: 'splice', source: '17-res-4k', positions: 'prompt', error_term: false },
      ],
      tokens: [' Paris', ' Lyon'],
      top: 3,
      max_tokens: 8,
    },
  });
