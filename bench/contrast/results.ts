import { z } from 'zod';
import { machineSchema } from '../results-common.ts';

const aurocSchema = z.object({ auroc: z.number(), low: z.number(), high: z.number() });

/** What a strength did to replies against the unsteered ones. */
const effectSchema = z.object({
  strength: z.number(),
  /** In standard deviations of the unsteered replies' scores. */
  change: z.number(),
  standardErrorInDeviations: z.number(),
  perplexityRatio: z.number(),
  distinctTrigrams: z.number(),
  fluent: z.boolean(),
});

/** What `bench/contrast/run.ts` keeps. */
export const contrastResults = z.object({
  machine: machineSchema,
  settings: z.object({
    model: z.string(),
    positions: z.string(),
    folds: z.number(),
    temperature: z.number(),
    maxTokens: z.number(),
    prompts: z.number(),
    seeds: z.number(),
  }),
  sets: z
    .array(
      z.object({
        name: z.string(),
        pairs: z.number(),
        topics: z.number(),
        tokens: z.number(),
        bagOfWords: aurocSchema,
        methods: z.array(
          z.object({
            method: z.string(),
            hookPoint: z.string(),
            heldOut: aurocSchema,
            effectSize: z.number(),
            norm: z.number(),
            relativeNorm: z.number().nullable(),
          }),
        ),
        /** Of the first method's vector: strengths on the prompts that it is chosen by. */
        search: z.array(effectSchema),
        /** The chosen strength on other seeds. */
        fresh: effectSchema
          .extend({
            texts: z.number(),
            control: z.object({ mean: z.number(), deviation: z.number(), perplexity: z.number() }),
            /** Other unsteered replies against these, in the same deviations. */
            controlChange: z.number(),
            unsteeredText: z.string(),
            steeredText: z.string(),
          })
          .nullable(),
      }),
    )
    .min(1),
});
export type ContrastResults = z.infer<typeof contrastResults>;
