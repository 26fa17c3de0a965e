import { z } from '@hono/zod-openapi';
import { type Positions, steeringModes, steeringUnits } from '../../engine/core/index.ts';

/** Named position sets (docs/steering.md, "Positions"). */
export const namedPositions = [
  'all_but_first',
  'all',
  'prompt',
  'generated',
  'assistant',
  'last',
] as const satisfies readonly Extract<Positions, string>[];

/** A range in prompt tokens, half open. */
export const rangeSchema = z.strictObject({
  from: z.int().min(0),
  to: z.int().min(1).openapi({ description: 'One past the last token.' }),
});

export const inlineVectorSchema = z.strictObject({
  hook_point: z.string().min(1).openapi({ example: 'blocks.12.hook_resid_post' }),
  data: z.string().min(1).openapi({ description: 'The direction: d_model little-endian float32, in base64.' }),
});

const number = (mode: string) =>
  z
    .number()
    .nullish()
    .openapi({ description: `The number of mode ${mode}.` });

/** One edit as it stands in a request body. What goes with what is checked in http/steering-request.ts. */
export const editSchema = z
  .strictObject({
    feature: z
      .string()
      .min(1)
      .nullish()
      .openapi({ description: 'A feature, `model/source/index`. Exactly one of `feature` and `vector`.' }),
    vector: z
      .union([z.string().min(1), inlineVectorSchema])
      .nullish()
      .openapi({
        description:
          'A saved vector, `name` or `name:version`: an edit at each of its hook points. Or the direction itself.',
      }),
    mode: z.enum(steeringModes),
    strength: number('`add`'),
    value: number('`set`, `pin`, `floor` and `cap`'),
    factor: number('`scale` and `orthogonal`'),
    unit: z.enum(steeringUnits).nullish().openapi({
      description: 'Default: `max_activation` for features, `stream_norm` for vectors.',
    }),
    positions: z
      .union([z.enum(namedPositions), rangeSchema])
      .nullish()
      .openapi({ description: 'Which tokens the edit touches; default `all_but_first`.' }),
    skip: z
      .array(z.literal('special'))
      .nullish()
      .openapi({ description: "`special` leaves the chat template's own tokens alone." }),
    only_if_active: z.boolean().nullish().openapi({ description: 'Touch only tokens on which the feature fires.' }),
  })
  .openapi('Edit');

export type EditBody = z.infer<typeof editSchema>;
