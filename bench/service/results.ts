import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';
import type { Distribution, LoadFigures } from './load-figures.ts';
import { plainRouteResult } from './plain-routes.ts';

const distribution = z.object({
  mean: z.number(),
  std: z.number(),
  median: z.number(),
  p90: z.number(),
  p99: z.number(),
}) satisfies z.ZodType<Distribution>;

const figures = z.object({
  duration: z.number(),
  completed: z.number(),
  failed: z.number(),
  total_input_tokens: z.number(),
  total_output_tokens: z.number(),
  request_throughput: z.number(),
  request_goodput: z.number(),
  output_throughput: z.number(),
  total_token_throughput: z.number(),
  max_concurrent_requests: z.number(),
  ttft_ms: distribution,
  tpot_ms: distribution,
  itl_ms: distribution,
  e2el_ms: distribution,
}) satisfies z.ZodType<LoadFigures>;

/** What `bench:service` keeps. */
export const serviceResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({ model: z.string(), precision: z.string(), threads: z.number(), rows: z.number() }),
  openLoop: z.object({
    num_prompts: z.number(),
    burstiness: z.number(),
    seed: z.number(),
    random_input_len: z.number(),
    random_output_len: z.number(),
    random_range_ratio: z.number(),
    /** Milliseconds. */
    goodput: z.object({ ttft: z.number(), tpot: z.number() }),
    steeredShare: z.number(),
    distinctSteerings: z.number(),
    runs: z.array(z.object({ request_rate: z.number(), steered: z.boolean(), figures, failures: z.array(z.string()) })),
  }),
  /** The same requests at once over HTTP and through the engine alone. */
  closedBatch: z.object({
    streams: z.number(),
    promptTokens: z.number(),
    maxTokens: z.number(),
    rounds: z.number(),
    /** Generated tokens a second, from the first request to the last token. */
    http: samples,
    engine: samples,
    /** Seconds, the 99th percentile of the event loop's delay in the service during each round. */
    eventLoopDelayP99: z.array(z.number()),
  }),
  plainRoutes: z.object({ connections: z.number(), seconds: z.number(), routes: z.array(plainRouteResult) }),
});
export type ServiceResults = z.infer<typeof serviceResults>;
