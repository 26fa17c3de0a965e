import type { z } from 'zod';
import { similarityAnswerSchema } from '../../routes/native/vector-work.ts';
import type { Config } from '../config.ts';
import { withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';

/** Cosines as the route answers them. */
export type VectorSimilarity = z.infer<typeof similarityAnswerSchema>;

/** `tiller vectors similarity`: through the route that clients call. */
export async function runSimilarity(
  config: Config,
  body: { readonly vectors: readonly object[]; readonly nearest: number },
  options: OpenModelOptions,
): Promise<VectorSimilarity> {
  return withLocalService(config, options, async ({ post }) =>
    similarityAnswerSchema.parse(await post('/api/v1/vectors/similarity', body)),
  );
}
