import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** Rows that decode together, in the second of both figures. */
export const batchRows = 8;

const precisionFigures = z.object({
  /** The benchmark's name for precision and stored type (plan.ts). */
  choice: z.string(),
  /** Of the checkpoint's weights, and of what Tiller made of them. */
  checkpointBytes: z.number(),
  preparedBytes: z.number(),
  /** Seconds from starting a process until the model answers: nothing prepared, and everything. */
  firstLoadSeconds: z.number().positive(),
  loadSeconds: z.number().positive(),
  /** Resident bytes: loaded, the most while working, and the most since the process began (null where nobody tells). */
  loadedBytes: z.number(),
  workingBytes: z.number(),
  peakBytes: z.number().nullable(),
  /** Tokens per second. */
  decodeOne: samples,
  decodeBatch: samples,
  prefill: samples,
});
export type PrecisionFigures = z.infer<typeof precisionFigures>;

/** What `bench:models` keeps. */
export const modelsResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    threads: z.number(),
    rounds: z.number(),
    steps: z.number(),
    batchSteps: z.number(),
    prefillTokens: z.number(),
  }),
  models: z
    .array(
      z.object({
        title: z.string(),
        parameters: z.number(),
        precisions: z.array(precisionFigures).min(1),
      }),
    )
    .min(1),
});
export type ModelsResults = z.infer<typeof modelsResults>;
