import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:interventions` keeps. */
export const interventionResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    rounds: z.number(),
    threads: z.number(),
    precision: z.string(),
    layers: z.number(),
    positions: z.number(),
    /** Requests that are with the engine at once, of either side. */
    together: z.number(),
  }),
  /** Seconds of the first patching, whose graphs had to be built. */
  first: z.number(),
  /** Seconds of as many whole prompts as there are patched runs. */
  prefills: samples,
  /** Seconds of the patched runs, both prompts' own runs among them. */
  patched: samples,
});
export type InterventionResults = z.infer<typeof interventionResults>;
