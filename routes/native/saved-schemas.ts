import { z } from '@hono/zod-openapi';
import { promptAggregates, steeringModes } from '../../engine/core/index.ts';
import { encodeFloat32 } from '../http/float32.ts';
import { namedPositions, profileFingerprintSchema, rangeSchema, steeringSchema } from '../http/steering-schema.ts';
import type { ProfileDetail, ProfileVersion, SavedVersion, VectorDetail, VectorVersion } from '../services.ts';

/** Longest description of a saved vector or profile. */
const maxDescription = 10_000;
/** Most hook points that a vector may have a direction at. */
const maxDirections = 1024;

export const nameSchema = z.string().min(1).openapi({
  description: "Up to 64 letters, digits, '-', '_' and '.', a letter or digit first.",
  example: 'pirate',
});
export const descriptionSchema = z.string().max(maxDescription).nullish();
export const modelSchema = z.string().min(1).openapi({
  description: 'A served model; the first where absent.',
  example: 'smollm2-135m-instruct',
});

/** `name` or `name:version` in an address. */
export const referenceParams = z.object({
  name: z.string().openapi({ description: '`name` or `name:version`.', example: 'pirate:2' }),
});
export const modelQuery = z.strictObject({ model: modelSchema.optional() });

export const deletedSchema = z
  .object({ model: z.string(), name: z.string(), deleted: z.array(z.int()).readonly() })
  .openapi('DeletedVersions', { description: 'Which versions were deleted; their numbers are not given again.' });

const savedFields = {
  model: z.string(),
  name: z.string(),
  version: z.int(),
  description: z.string(),
  created: z.iso.datetime(),
};

export const vectorSchema = z
  .object({ ...savedFields, method: z.string(), hook_points: z.array(z.string()).readonly() })
  .openapi('VectorVersion');

const directionSchema = z.strictObject({
  hook_point: z.string().min(1).openapi({ example: 'blocks.12.hook_resid_post' }),
  data: z.union([z.string().min(1), z.array(z.number()).min(1)]).openapi({
    description: 'The direction, as wide as its hook point: little-endian float32 in base64, or numbers.',
  }),
});

export const newVectorSchema = z
  .strictObject({
    name: nameSchema,
    description: descriptionSchema,
    model: modelSchema.nullish(),
    directions: z.array(directionSchema).min(1).max(maxDirections),
  })
  .openapi('NewVector');

export const vectorDetailSchema = vectorSchema
  .extend({
    origin: z.string().nullable().openapi({ description: 'Where it is from; of a combined vector the recipe.' }),
    directions: z.array(z.object({ hook_point: z.string(), data: z.string() })),
  })
  .openapi('VectorDetail');

export const profileSchema = z
  .object({ ...savedFields, fingerprint: profileFingerprintSchema })
  .openapi('ProfileVersion');

export const newProfileSchema = z
  .strictObject({
    name: nameSchema,
    description: descriptionSchema,
    model: modelSchema.nullish(),
    steering: steeringSchema,
  })
  .openapi('NewProfile');

const runningEditSchema = z.object({
  target: z.string(),
  hook_point: z.string(),
  mode: z.enum(steeringModes),
  number: z.number().nullable(),
  positions: z.union([z.enum(namedPositions), rangeSchema]),
});

export const profileDetailSchema = profileSchema
  .extend({
    steering: z.unknown().openapi({ description: 'As it was asked for.' }),
    edits: z
      .array(runningEditSchema)
      .openapi({ description: 'What runs, in raw units, whatever becomes of statistics, labels and vectors.' }),
    rules: z
      .array(
        z.object({
          latch: z.boolean(),
          stop: z.boolean(),
          comparisons: z
            .array(
              z.object({
                target: z.string(),
                hook_point: z.string(),
                over: z.enum(['token', ...promptAggregates]),
                above: z.boolean(),
                threshold: z.number(),
              }),
            )
            .openapi({ description: 'In the order in which they stand in the condition (`steering` has it whole).' }),
          edits: z.array(runningEditSchema),
        }),
      )
      .openapi({ description: 'The same of its rules.' }),
  })
  .openapi('ProfileDetail');

const saved = ({ model, name, version, description, addedUnixMilliseconds }: SavedVersion) => ({
  model,
  name,
  version,
  description,
  created: new Date(addedUnixMilliseconds).toISOString(),
});

/** A version of a vector as it goes over the wire. */
export function toVector(vector: VectorVersion): z.infer<typeof vectorSchema> {
  return { ...saved(vector), method: vector.method, hook_points: vector.hookPoints };
}

/** The same with its directions. */
export function toVectorDetail(vector: VectorDetail): z.infer<typeof vectorDetailSchema> {
  const directions = vector.directions.map(({ hookPoint, values }) => ({
    hook_point: hookPoint,
    data: encodeFloat32(values),
  }));
  return { ...toVector(vector), origin: vector.origin, directions };
}

/** A version of a profile as it goes over the wire. */
export function toProfile(profile: ProfileVersion): z.infer<typeof profileSchema> {
  return { ...saved(profile), fingerprint: profile.fingerprint };
}

/** The same with what was asked for and what runs. */
export function toProfileDetail(profile: ProfileDetail): z.infer<typeof profileDetailSchema> {
  const placed = <Placed extends { readonly hookPoint: string }>({ hookPoint, ...rest }: Placed) => ({
    ...rest,
    hook_point: hookPoint,
  });
  const rules = profile.rules.map(({ comparisons, edits, ...rule }) => ({
    ...rule,
    comparisons: comparisons.map(placed),
    edits: edits.map(placed),
  }));
  return { ...toProfile(profile), steering: profile.steering, edits: profile.edits.map(placed), rules };
}
