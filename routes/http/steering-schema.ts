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

/** The body field `steering`. */
export const steeringSchema = z
  .strictObject({
    profile: z.string().min(1).nullish().openapi({
      description:
        "A saved steering, `name` or `name:version`; edits are added to it. Null: none, the service's default neither.",
    }),
    edits: z.array(editSchema).nullish(),
    rules: z.unknown().optional().openapi({ description: 'Conditions. Not supported yet: refused by name.' }),
  })
  .openapi('Steering');

export type SteeringBody = z.infer<typeof steeringSchema>;
export type EditBody = z.infer<typeof editSchema>;

const range = z.object({ min: z.number(), max: z.number() });
const reading = z.object({ min: z.number(), max: z.number(), mean: z.number() });

/** What a profile was frozen with (services.ts `ProfileFingerprint`). */
export const profileFingerprintSchema = z
  .object({
    model: z.string(),
    model_hash: z.string(),
    sources: z.record(z.string(), z.string()).readonly(),
    statistics: z.record(z.string(), z.string()).readonly(),
    hash: z.string().openapi({ description: 'Of what runs: equal hashes give equal text.' }),
  })
  .openapi('ProfileFingerprint');

/** What a steered answer says was done (services.ts `SteeringBlock`). */
export const steeringBlockSchema = z
  .object({
    edits: z
      .array(
        z.object({
          target: z.string(),
          from_profile: z.literal(true).optional().openapi({ description: "The edit is the profile's." }),
          hook_point: z.string(),
          mode: z.enum(steeringModes),
          positions: z.union([z.enum(namedPositions), rangeSchema]),
          tokens: z.int().openapi({
            description: 'Tokens it was applied at, also where its coefficient came out as 0. 0: nothing was steered.',
          }),
          sink_tokens_skipped: z.int(),
          coefficient: range.nullable().openapi({ description: 'Range of the raw coefficient.' }),
          relative_dose: z.number().nullable().openapi({ description: 'Mean ‖Δ‖/‖x‖ over the tokens written to.' }),
          value_asked: z.number().optional(),
          value_read_back: reading.nullable().optional(),
        }),
      )
      .readonly(),
    profile: z
      .object({
        name: z.string(),
        version: z.int(),
        default: z.boolean().openapi({ description: "It is the service's default: the request named none." }),
        fingerprint: profileFingerprintSchema,
      })
      .optional()
      .openapi({ description: 'The saved steering that edits are from.' }),
    fingerprint: z.object({
      model: z.string(),
      model_hash: z.string(),
      precision: z.string(),
      sources: z.record(z.string(), z.string()).readonly(),
      statistics: z.record(z.string(), z.string()).readonly(),
      seeds: z.array(z.number()).readonly(),
    }),
  })
  .openapi('SteeringReport', { description: 'What was done, and all that is needed to repeat the run.' });
