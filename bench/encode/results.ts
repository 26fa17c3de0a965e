import { z } from 'zod';
import { disturbanceSchema, machineSchema, samples } from '../results-common.ts';

/** What `bench:encode` keeps. */
export const encodeResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({ rounds: z.number(), threads: z.number(), tokens: z.number(), width: z.number() }),
  /** Seconds to read the prompt, nothing else asked of it. */
  plain: samples,
  encoders: z
    .array(
      z.object({
        title: z.string(),
        outputs: z.number(),
        /** Seconds to read the prompt and its features. */
        seconds: samples,
      }),
    )
    .min(1),
  /** ONNX Runtime's MatMul of float32 by as many outputs as the largest encoder has, in the same rounds; null: measured before there was one. */
  product: z.object({ outputs: z.number(), seconds: samples }).nullable().default(null),
});
export type EncodeResults = z.infer<typeof encodeResults>;
