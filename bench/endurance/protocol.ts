import { z } from 'zod';
import { loadRequest } from '../workers/protocol.ts';

/** What bench/endurance/run.ts asks its worker: each scenario in a process of its own, so that its memory is its own. */
export const enduranceRequest = z.discriminatedUnion('op', [
  loadRequest.extend({ warmUp: z.enum(['none', 'common']), prefixCacheBytes: z.string().optional() }),
  /** Steers `rows` rows at one set of hook points after the other, `variants` sets in all. */
  z.object({ op: z.literal('variants'), variants: z.number(), rows: z.number() }),
  /** Decodes `rows` rows while graph variants are built. */
  z.object({ op: z.literal('builds'), builds: z.number(), rows: z.number() }),
  /** Generates `tokens` tokens in one row, then goes on as long as the window from a new prompt that ends where `fresh` says. */
  z.object({ op: z.literal('long'), tokens: z.number(), fresh: z.number(), window: z.number() }),
]);
export type EnduranceRequest = z.infer<typeof enduranceRequest>;
export type EnduranceRequestOf<Op extends EnduranceRequest['op']> = Extract<EnduranceRequest, { op: Op }>;

/** Resident bytes after each variant. */
export const variantsReply = z.object({ resident: z.array(z.number()), built: z.number() });
/** Milliseconds of steps, with nothing built meanwhile and while something was. */
export const buildsReply = z.object({ quiet: z.array(z.number()), building: z.array(z.number()), built: z.number() });
/** Milliseconds a token, the median of each window, and resident bytes at the windows' ends. */
export const longReply = z.object({
  windows: z.array(z.object({ tokens: z.number(), medianMilliseconds: z.number(), resident: z.number() })),
  /** The same at the length `fresh`, right after a prompt, and in the long generation. */
  freshMilliseconds: z.number(),
  longMilliseconds: z.number(),
  keyValueBytesPerToken: z.number(),
});
