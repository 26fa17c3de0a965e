import { z } from '@hono/zod-openapi';
import type { FoundFeature } from '../services.ts';
import { searchModes } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';

const defaultLimit = 10;
const maxLimit = 100;
/** A query is matched against labels of a few words; more text than this only costs time. */
const maxQueryLength = 1000;
const maxFilters = 64;
/** Features that may be looked up or ordered at once. */
const maxFeatures = 1000;

const text = z.string().min(1).max(maxQueryLength);
const name = z.string().min(1).max(300);
const layer = z.int().min(0).max(10_000);
const share = z.number().min(0).max(1);
const limit = z.int().min(1).max(maxLimit);
const mode = z.enum(searchModes).openapi({
  description:
    'Words, meaning, or both. Without it: both where the labels are embedded, else words alone (the answer says which).',
});
const cursor = z.string().min(1).max(2000).openapi({
  description:
    '`next_cursor` of the page before; everything else must be as it was. Labels that come meanwhile move nothing.',
});

/** A list in one parameter, parts between commas. */
const list = (what: string) =>
  z
    .string()
    .min(1)
    .max(4000)
    .openapi({ description: `${what}; several with commas between them.` });
const decimal = z.coerce.number().min(0).max(1);

/** Parameters of the GET form. */
export const searchParameters = z.strictObject({
  q: text.openapi({ example: 'songs and singing' }),
  model: name.optional(),
  source: list('Id or name of a source').optional(),
  layer: list("Block of the sources' hook points").optional(),
  method: list('How labels were made').optional(),
  min_density: decimal.optional(),
  max_density: decimal.optional(),
  mode: mode.optional(),
  limit: z.coerce.number().int().min(1).max(maxLimit).default(defaultLimit),
  cursor: cursor.optional(),
});

/** The same as a body. */
export const searchBodySchema = z
  .strictObject({
    query: text,
    model: name.optional(),
    sources: z.array(name).min(1).max(maxFilters).optional(),
    layers: z.array(layer).min(1).max(maxFilters).optional(),
    methods: z.array(name).min(1).max(maxFilters).optional(),
    density: z.strictObject({ min: share.optional(), max: share.optional() }).optional().openapi({
      description: 'Share of tokens on which a feature is active; features without statistics are left out.',
    }),
    mode: mode.optional(),
    limit: limit.default(defaultLimit),
    cursor: cursor.optional(),
  })
  .openapi('FeatureSearchRequest', {
    example: { query: 'feeling unhappy', layers: [17], density: { max: 0.01 }, limit: 5 },
  });

const foundSchema = featureSummarySchema.omit({ score: true }).extend({
  layer: z.int().nullable(),
  density: z.number().nullable(),
  method: z.string().nullable().openapi({ description: 'How the label was made.' }),
  author: z.string().nullable(),
  clarity: z.number().nullable().openapi({ description: 'The higher the clearer, as its author counts it.' }),
});

const similarity = z.number().nullable().openapi({ description: 'Cosine of the query and the label.' });

export const searchAnswerSchema = z
  .object({
    features: z.array(
      foundSchema
        .extend({
          score: z.number().openapi({ description: 'Higher is a better match; only within one search.' }),
          lexical_rank: z.int().nullable().openapi({ description: 'Its place among the matches by words, from 1.' }),
          semantic_rank: z.int().nullable().openapi({ description: 'Its place among the matches by meaning, from 1.' }),
          similarity,
          highlights: z.array(z.object({ start: z.int(), end: z.int() })).openapi({
            description: "Where the query's words stand in the label: half-open ranges of Unicode code points.",
          }),
        })
        .openapi('FeatureHit'),
    ),
    mode: z.enum(searchModes).openapi({ description: 'What was searched with.' }),
    reason: z.string().nullable().openapi({ description: 'Why it was words alone where nobody asked for that.' }),
    embeddings: z
      .object({ done: z.int(), total: z.int() })
      .openapi({ description: 'Labels in the searched scope, and how many of them can be searched by meaning.' }),
    next_cursor: z.string().nullable(),
  })
  .openapi('FeatureSearchAnswer');

const ids = z
  .array(z.string().min(1).max(600))
  .min(1)
  .max(maxFeatures)
  .openapi({ example: ['smollm2-135m-instruct/17-res-4k/837', 'smollm2-135m-instruct/17-res-4k/307'] });

export const lookupBodySchema = z
  .strictObject({
    features: ids.optional().openapi({ description: 'Ids `model/source/index`, or `source/index`.' }),
    source: name.optional().openapi({ description: 'Of `indices`: id or name of a source.' }),
    indices: z.array(z.int().nonnegative()).min(1).max(maxFeatures).optional(),
  })
  .openapi('FeatureLookupRequest', { example: { source: 'smollm2-135m-instruct/17-res-4k', indices: [307, 837] } });

export const lookupAnswerSchema = z
  .object({ features: z.array(foundSchema.openapi('FoundFeature')) })
  .openapi('FeatureLookupAnswer');

export const rerankBodySchema = z.strictObject({ query: text, features: ids }).openapi('FeatureRerankRequest');

export const rerankAnswerSchema = z
  .object({ features: z.array(foundSchema.extend({ similarity }).openapi('RankedFeature')) })
  .openapi('FeatureRerankAnswer');

export function toFound({
  id,
  model,
  source,
  index,
  label,
  layer,
  density,
}: FoundFeature): z.infer<typeof foundSchema> {
  const { text: its = null, method = null, author = null, clarity = null } = label ?? {};
  return { id, model, source, index, label: its, layer, density, method, author, clarity };
}
