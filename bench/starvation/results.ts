import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:starvation` keeps. Milliseconds, one value a round. */
export const starvationResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    precision: z.string(),
    threads: z.number(),
    rounds: z.number(),
    streams: z.number(),
    promptTokens: z.number(),
  }),
  /** Between tokens of the streams without the prompt (before it comes and once it is read), and while it is read. */
  without: z.object({ median: samples, p99: samples }),
  during: z.object({ median: samples, p99: samples }),
  /** The prompt's time to first token, among the streams and with nobody else there. */
  promptTtft: samples,
  promptTtftAlone: samples,
});
export type StarvationResults = z.infer<typeof starvationResults>;
