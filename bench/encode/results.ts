import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:encode` keeps. */
export const encodeResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({ rounds: z.number(), threads: z.number(), tokens: z.number(), width: z.number() }),
  /** Seconds to read the prompt, nothing else asked of it. */
  plain: samples,
  encoders: z
    .array(
      z.object({
        title: z.string(),
        outputs: z.number(),
        /** Seconds to read the prompt and its features. */
        seconds: samples,
      }),
    )
    .min(1),
});
export type EncodeResults = z.infer<typeof encodeResults>;
