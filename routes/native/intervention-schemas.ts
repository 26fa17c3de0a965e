import { z } from '@hono/zod-openapi';

/** A token by its text, which must be a single one, or by its id. */
export const namedTokenSchema = z
  .union([z.string().min(1), z.int().min(0)])
  .openapi({ description: 'A token: its text, with the space that belongs to it, or its id.', example: ' Paris' });

/** Prompt positions: one by one, or half open. */
export const positionListSchema = z.union([
  z.array(z.int().min(0)).min(1).max(4096),
  z.strictObject({ from: z.int().min(0), to: z.int().min(1) }),
]);

/** A token with its text. */
export const tokenSchema = z.object({ id: z.int(), token: z.string() }).openapi('NamedToken');
