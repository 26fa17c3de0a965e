import { join } from 'node:path';
import { z } from 'zod';
import { readOptionalJson } from './read-json.ts';

const positive = z.number().positive().finite();

/** How a SAELens dictionary was made, beyond what its own cfg.json says. */
export const madeWithSchema = z.strictObject({
  /** The writers of the model's stream were centred (TransformerLens): each token's mean is taken off before it is read. */
  center_writing_weights: z.boolean().optional(),
  normalize_activations: z.string().optional(),
});

/** `source.json`: what a program needs to know of a source beside its weights. Every field but the id may be missing. */
const cardSchema = z.object({
  /** `model/name` */
  id: z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'must be model/name'),
  model: z.string().optional(),
  hook_point: z.string().optional(),
  features: z.int().positive().optional(),
  /** Activations count in lengths of their decoder vectors, as Neuronpedia's do: say so where statistics and labels are from there. */
  fold_decoder_norms: z.boolean().optional(),
  /** Goes before what cfg.json says: the catalog knows it of some releases whose files do not. */
  made_with: madeWithSchema.optional(),
  /** Median norm of the stream at the hook point, sinks left out. */
  median_stream_norm: positive.nullish(),
  /** Stream norm beyond which a token is an attention sink, where the dictionary says nothing. */
  sink_norm: positive.nullish(),
  variance_explained: z.number().nullish(),
  l0: z.number().nullish(),
  tokens_trained: z.number().nullish(),
  statistics_version: z.union([z.number(), z.string()]).optional(),
  license: z.string().optional(),
  /** How and by whom the labels were made, where their lines do not say. */
  label_method: z.string().optional(),
  label_author: z.string().optional(),
});

export type SourceCard = z.infer<typeof cardSchema>;

/** The card of a source folder; null where it has none. Throws `source_invalid`. */
export async function readSourceCard(folder: string): Promise<SourceCard | null> {
  return readOptionalJson(join(folder, 'source.json'), cardSchema);
}
