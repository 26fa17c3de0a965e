import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:loads` keeps. */
export const loadsResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({ rounds: z.number(), threads: z.number() }),
  loads: z
    .array(
      z.object({
        title: z.string(),
        precision: z.string(),
        /** Seconds that it may take. */
        limit: z.number().positive(),
        /** From starting a process until the model answers, everything prepared; one value a round. */
        seconds: samples,
      }),
    )
    .min(1),
});
export type LoadsResults = z.infer<typeof loadsResults>;
