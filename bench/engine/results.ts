import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';
import { levels, peerSettings } from '../workers/protocol.ts';
import { workloads } from './peer-search.ts';

/** What `bench:engine` keeps. */
export const engineResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    /** Tiller's. */
    threads: z.number(),
    rounds: z.number(),
    promptTokens: z.number(),
    /** Tokens that each row generates in a round: one row, and several. */
    steps: z.number(),
    batchSteps: z.number(),
  }),
  /** With what each peer ran, and what else was tried. */
  peerSettings: z.array(
    z.object({
      engine: z.string(),
      workload: z.enum(workloads),
      best: peerSettings,
      tried: z.array(peerSettings.extend({ tokensPerSecond: z.number().positive() })),
    }),
  ),
  decode: z.array(z.object({ engine: z.string(), level: z.enum(levels), rows: z.number(), tokensPerSecond: samples })),
  prefill: z.array(
    z.object({ engine: z.string(), level: z.enum(levels), tokens: z.number(), tokensPerSecond: samples }),
  ),
  guard: z.object({
    prompt: z.string(),
    continuations: z.array(
      z.object({
        engine: z.string(),
        tokens: z.array(z.number()),
        text: z.string(),
        /** Leading tokens that are the same as Tiller's in f32. */
        agreeing: z.number(),
      }),
    ),
  }),
  /** Processor time that each process took while it was another's turn, in shares of one core: 0 = it did not spin. */
  idle: z.array(z.object({ process: z.string(), cpuShare: z.number() })),
});
export type EngineResults = z.infer<typeof engineResults>;
