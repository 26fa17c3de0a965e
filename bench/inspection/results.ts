import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:inspection` keeps. One value a round. */
export const inspectionResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    precision: z.string(),
    threads: z.number(),
    rounds: z.number(),
    texts: z.number(),
    tokens: z.number(),
    streams: z.number(),
    textsBeside: z.number(),
  }),
  /** Seconds to read the texts as prompts of replies of one token, all there at once. */
  plain: samples,
  /** Seconds of one call that inspects them, the answer read. */
  inspected: z.array(z.object({ title: z.string(), seconds: samples, answerBytes: z.number() })).min(1),
  /** Milliseconds between tokens of streams without and during an inspection. */
  without: z.object({ median: samples, p99: samples }),
  during: z.object({ median: samples, p99: samples }),
});
export type InspectionResults = z.infer<typeof inspectionResults>;
