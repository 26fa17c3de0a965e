import { z } from 'zod';
import { disturbanceSchema, machineSchema } from '../results-common.ts';

const share = z.number().min(0).max(1);
const latency = z.object({
  mode: z.enum(['hybrid', 'lexical', 'semantic']),
  clients: z.number().int().positive(),
  queries: z.number().int().positive(),
  /** Milliseconds from asking to having the answer. */
  p50: z.number().positive(),
  p99: z.number().positive(),
});

/** What `bench:search` keeps. */
export const searchResults = disturbanceSchema.extend({
  machine: machineSchema,
  settings: z.object({
    seed: z.number(),
    queries: z.number(),
    /** Labels whose embeddings are real. Results of before had none. */
    embedded: z.number().default(0),
  }),
  sizes: z
    .array(
      z.object({
        features: z.number().int().positive(),
        /** Labels written a second, the full-text index with them. */
        importedPerSecond: z.number().positive(),
        fileBytes: z.number().positive(),
        /** Of the file, what the embeddings take. */
        embeddingBytes: z.number().positive(),
        /** What the search thread keeps of labels and of embeddings. */
        labelMemoryBytes: z.number().positive(),
        embeddingMemoryBytes: z.number().positive(),
        /** Until the first search of a new process has its answer. */
        firstSearchSeconds: z.number().positive(),
        /** Of the ten nearest by exact comparison, how many the search by meaning gives. */
        recallAtTen: share,
        latencies: z.array(latency).min(1),
      }),
    )
    .min(1),
  quality: z.object({
    labels: z.number(),
    queries: z.array(z.object({ query: z.string(), hybrid: share, lexical: share, semantic: share })).min(1),
    /** Means over the queries. */
    recallAtFive: z.object({ hybrid: share, lexical: share, semantic: share }),
    /** The weight of words chosen on one half of the queries, and what it finds in the other; both ways. Results of before had none. */
    halves: z
      .array(
        z.object({
          weight: share,
          /** recall@5 of hybrid search on the half that the weight was chosen on. */
          tuned: share,
          /** On the other half. */
          heldOut: z.object({ hybrid: share, lexical: share, semantic: share }),
        }),
      )
      .optional(),
  }),
});
export type SearchResults = z.infer<typeof searchResults>;
