import { z } from 'zod';
import { machineSchema, samples } from '../results-common.ts';

/** Bytes. The parts are null where the platform does not tell them apart. */
const memory = z.object({
  resident: z.number(),
  /** The most since the process began; null where the platform does not tell. */
  peak: z.number().nullable(),
  /** Of keys and values; measured where there are parts, else computed from the tokens held. */
  keyValue: z.number(),
  parts: z
    .object({
      /** Resident pages of the mapped weights files: matrices as they are multiplied, and the rows of the embedding that were read. */
      mappedWeights: z.number(),
      /** Node's own heap, from /metrics. */
      nodeHeap: z.number(),
      /** Resident pages of programs and libraries. */
      programFiles: z.number(),
      /** What is left: the graph runtime's buffers (and its copies of weights, where it packs them), dictionaries, buffers outside Node's heap, stacks. */
      rest: z.number(),
    })
    .nullable(),
});
export type Memory = z.infer<typeof memory>;

/** What `bench:startup` keeps. */
export const startupResults = z.object({
  machine: machineSchema,
  settings: z.object({ model: z.string(), runs: z.number(), requests: z.number(), maxTokens: z.number() }),
  /** Seconds from spawning the process. */
  afterReady: z.object({ listening: samples, ready: samples, firstToken: samples }),
  /** The same when the request is sent as soon as the port listens, and again while the answer is 503. */
  asSoonAsListening: z.object({ firstToken: samples }),
  float32WeightBytes: z.number(),
  keyValueBytesPerToken: z.number(),
  /** One entry a run: once ready, and the largest seen while `requests` replies were generated together. */
  memory: z.object({ loaded: z.array(memory).min(1), busy: z.array(memory).min(1) }),
});
export type StartupResults = z.infer<typeof startupResults>;
