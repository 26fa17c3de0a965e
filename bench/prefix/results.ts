import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** Who sends a prefix that an unsteered request, or one with steering A, has sent before. */
export const followers = [
  'unsteered after unsteered',
  'steered while generating only, after unsteered',
  'steered from the middle on, after unsteered',
  'steered by A, after unsteered',
  'steered by A, after A',
  'steered by B, after A',
  'unsteered after A',
] as const;
export type Follower = (typeof followers)[number];

/** What `bench:prefix` keeps. Milliseconds to the first token, one value a round. */
export const prefixResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    precision: z.string(),
    threads: z.number(),
    rounds: z.number(),
    prefixTokens: z.number(),
    /** New tokens after the prefix. */
    tailTokens: z.number(),
  }),
  cold: samples,
  cached: z.array(
    z.object({
      follower: z.enum(followers),
      ttft: samples,
      /** Prompt tokens that were taken from the cache. */
      cachedTokens: z.array(z.number()),
    }),
  ),
});
export type PrefixResults = z.infer<typeof prefixResults>;
