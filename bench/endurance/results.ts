import { z } from 'zod';
import { machineSchema } from '../results-common.ts';
import { buildsReply, longReply, variantsReply } from './protocol.ts';

/** What `bench:endurance` keeps. */
export const enduranceResults = z.object({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    precision: z.string(),
    threads: z.number(),
    variantRows: z.number(),
    buildRows: z.number(),
    longTokens: z.number(),
    freshTokens: z.number(),
  }),
  variants: variantsReply,
  builds: buildsReply,
  long: longReply,
  /** Cores that other processes kept busy, in each of the three. */
  otherLoad: z.array(z.number()).min(1),
  disturbedRounds: z.number(),
});
export type EnduranceResults = z.infer<typeof enduranceResults>;
