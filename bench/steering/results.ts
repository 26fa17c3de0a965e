import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';
import { levels } from '../workers/protocol.ts';
import { steeringCase } from './cases.ts';

/** What `bench:steering` keeps. */
export const steeringResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    threads: z.number(),
    rounds: z.number(),
    rows: z.number(),
    promptTokens: z.number(),
    steps: z.number(),
    blocks: z.number(),
  }),
  cases: z.array(
    z.object({
      precision: z.string(),
      level: z.enum(levels),
      steering: steeringCase,
      /** Tokens per second of the batch, without and with its edits, in turn. */
      unsteered: samples,
      steered: samples,
      /** Whether edits scaled to zero left every token of every round as it was. */
      identical: z.boolean(),
    }),
  ),
  /** Unsteered batches in a process that never saw an edit, and in one with all the graphs above loaded. */
  unused: z.array(
    z.object({
      precision: z.string(),
      never: samples,
      loaded: samples,
      /** Whether every logit of a step is the same, bit for bit. */
      sameLogits: z.boolean(),
    }),
  ),
});
export type SteeringResults = z.infer<typeof steeringResults>;
export type MeasuredCase = SteeringResults['cases'][number];
