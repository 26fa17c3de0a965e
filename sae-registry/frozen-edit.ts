import { z } from 'zod';
import { type Positions, steeringModes } from '../engine/core/index.ts';

const positionsSchema: z.ZodType<Positions> = z.union([
  z.enum(['all_but_first', 'all', 'prompt', 'generated', 'assistant', 'last']),
  z.strictObject({ from: z.int().min(0), to: z.int().min(1) }),
]);

/** Where in the list of directions one lies. */
export const directionSchema = z.int().min(0);

/** An edit with every id looked up and its number raw. What JSON cannot write is null: a threshold of −∞. */
export const frozenEditSchema = z.strictObject({
  /** Feature id, `name:version` of a vector, or `inline`. */
  target: z.string().min(1),
  kind: z.enum(['feature', 'vector']),
  /** In canonical spelling. */
  hook_point: z.string().min(1),
  mode: z.enum(steeringModes),
  /** Raw units; null of a mode that takes none. */
  number: z.number().nullable(),
  positions: positionsSchema,
  skip_special: z.boolean(),
  only_if_active: z.boolean(),
  /** A feature's decoder row, or the vector. */
  write: directionSchema,
  /** A feature's encoder, where the edit reads it. */
  read: z.strictObject({ direction: directionSchema, bias: z.number(), threshold: z.number().nullable() }).nullable(),
  /** Tokens beyond it are left alone; null: none are. */
  sink_norm: z.number().nullable(),
});

export const frozenEditsSchema = z.array(frozenEditSchema);
export type FrozenEdit = z.infer<typeof frozenEditSchema>;
