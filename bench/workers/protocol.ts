import { z } from 'zod';
import { steeringCase } from '../steering/cases.ts';

const ids = z.array(z.number().int());
/** `model`: the model alone, no sampling and no queue. `service`: all that a server runs for a request, but for HTTP. */
export const levels = ['service', 'model'] as const;
export type Level = (typeof levels)[number];
const level = z.enum(levels);

/** What llama.cpp lets its user choose and is searched for its best (bench/engine/peer-search.ts). */
export const peerSettings = z.object({
  threads: z.number().int().positive(),
  flashAttention: z.boolean(),
  /** `n_batch`, and `n_ubatch`, which node-llama-cpp sets to the same. */
  batchSize: z.number().int().positive(),
});
export type PeerSettings = z.infer<typeof peerSettings>;

/** Loads a model; every worker is asked this first. */
export const loadRequest = z.object({
  op: z.literal('load'),
  /** A model's name, or a path. */
  model: z.string(),
  cacheDirectory: z.string(),
  precision: z.string(),
  threads: z.number(),
  rows: z.number(),
  context: z.number(),
});

/** What the benchmarks ask Tiller's worker. bench/peers/llama.mjs answers `load`, `decode`, `prefill` and `greedy` in the same way. */
export const workerRequest = z.discriminatedUnion('op', [
  loadRequest.extend({
    /** `none`: no graph with edits is built before somebody steers. Not given: what a server does. */
    warmUp: z.string().optional(),
    /** Not given: a part of the machine's memory, which large models leave little of. */
    keyValueBytes: z.string().optional(),
  }),
  /** Token ids of a text's beginning, and of a question in the model's chat form. */
  z.object({ op: z.literal('tokens'), text: z.string(), question: z.string() }),
  /** Continues `rows` copies of a prompt by `steps` tokens each, the prompt's computation not counted. */
  z.object({ op: z.literal('decode'), level, prompt: ids, rows: z.number(), steps: z.number() }),
  /** From a prompt to its first token, with nothing cached. */
  z.object({ op: z.literal('prefill'), level, prompt: ids }),
  z.object({ op: z.literal('greedy'), prompt: ids, tokens: z.number() }),
  /** Builds the graph that a steering needs and waits until nothing better is being built. */
  z.object({ op: z.literal('settle'), steering: steeringCase, rows: z.number() }),
  /** `decode` without steering and with it in turn, `blocks` times. */
  z.object({
    op: z.literal('steer'),
    level,
    prompt: ids,
    rows: z.number(),
    steps: z.number(),
    blocks: z.number(),
    steering: steeringCase,
  }),
  /** All prompts at once through the engine, each continued by its number of tokens; every second that it takes counts. */
  z.object({ op: z.literal('batch'), requests: z.array(z.object({ prompt: ids, maxTokens: z.number() })) }),
]);
export type WorkerRequest = z.infer<typeof workerRequest>;
export type RequestOf<Op extends WorkerRequest['op']> = Extract<WorkerRequest, { op: Op }>;

export const timing = z.object({ seconds: z.number().positive(), tokens: z.number().positive() });
export type Timing = z.infer<typeof timing>;
/** Also the SHA-256 of every logit of the last step, where they can be had. */
export const decodeTiming = timing.extend({ logitsDigest: z.string().optional() });
export const continuation = z.object({ tokens: ids, text: z.string() });
export const tokensReply = z.object({ text: ids, question: ids });
export const steerReply = z.object({
  unsteered: timing,
  steered: timing,
  /** Whether steering scaled to zero left every token as it was. */
  identical: z.boolean(),
});
export type SteerReply = z.infer<typeof steerReply>;
