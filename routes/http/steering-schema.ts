import { z } from '@hono/zod-openapi';
import { conditionUnits, steeringModes } from '../../engine/core/index.ts';
import { editSchema, namedPositions, rangeSchema } from './edit-schema.ts';
import { ruleSchema } from './rules-schema.ts';

export { editSchema, inlineVectorSchema, namedPositions, rangeSchema } from './edit-schema.ts';

/** The body field `steering`. */
export const steeringSchema = z
  .strictObject({
    profile: z.string().min(1).nullish().openapi({
      description:
        "A saved steering, `name` or `name:version`; edits are added to it. Null: none, the service's default neither.",
    }),
    edits: z.array(editSchema).nullish(),
    rules: z
      .array(ruleSchema)
      .nullish()
      .openapi({ description: 'Edits that hold while a condition does, and what ends the reply.' }),
  })
  .openapi('Steering');

export type SteeringBody = z.infer<typeof steeringSchema>;

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

const blockEdit = z.object({
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
});

const blockRule = z
  .object({
    from_profile: z.literal(true).optional().openapi({ description: "The rule is the profile's." }),
    tokens_read: z.int().openapi({ description: 'Tokens of which its condition read anything.' }),
    first_fired: z.int().nullable().openapi({ description: 'Input position through which its condition first held.' }),
    times_fired: z.int().openapi({ description: 'Verdicts that were true.' }),
    latched: z.boolean(),
    stopped: z.boolean().openapi({ description: 'It ended the reply.' }),
    comparisons: z
      .array(
        z.object({
          target: z.string(),
          hook_point: z.string(),
          unit: z.enum(conditionUnits),
          read: reading.nullable(),
        }),
      )
      .readonly()
      .openapi({ description: 'What each comparison read, in its own unit, in the order in which they stand.' }),
    edits: z.array(blockEdit).readonly(),
  })
  .openapi('RuleReport');

/** What a steered answer says was done (services.ts `SteeringBlock`). */
export const steeringBlockSchema = z
  .object({
    edits: z.array(blockEdit).readonly(),
    rules: z.array(blockRule).readonly().optional(),
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
