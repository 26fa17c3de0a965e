import { z } from 'zod';
import { machineSchema } from '../results-common.ts';

const share = z.number().min(0).max(1);
const amount = z.number().nonnegative();

const predictions = z.object({
  tokens: z.number().int().positive(),
  perplexity: z.number().min(1),
  divergence: z.object({ mean: amount, p99: amount, max: amount }),
  topAgreement: share,
});

/** What `bench/quality/run.ts` keeps; what each figure is: distributions.ts, features.ts. */
export const qualityResults = z.object({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    /** sha256 over the checkpoint's weights. */
    weights: z.string(),
    text: z.string(),
    textSha256: z.string(),
    windows: z.number().int().positive(),
    windowTokens: z.number().int().min(2),
    /** The token that every window begins with, spelled out. */
    firstToken: z.string(),
    threads: z.number(),
  }),
  source: z.object({
    id: z.string(),
    hookPoint: z.string(),
    features: z.number(),
    /** Positions compared: neither a window's first nor an attention sink. */
    positions: z.number().int().positive(),
  }),
  precisions: z
    .array(
      z.object({
        precision: z.string(),
        prompt: predictions,
        oneByOne: predictions,
        ownPath: predictions,
        features: z.object({
          firingInReference: amount,
          firing: amount,
          precision: share,
          recall: share,
          jaccard: share,
          weightedJaccard: share,
          relativeError: z.object({ median: amount, p99: amount }),
        }),
        stream: z.object({
          cosine: z.object({ median: z.number().min(-1).max(1.000001), least: z.number().min(-1).max(1.000001) }),
          relativeError: z.object({ median: amount, p99: amount }),
        }),
      }),
    )
    .min(1),
});
export type QualityResults = z.infer<typeof qualityResults>;
