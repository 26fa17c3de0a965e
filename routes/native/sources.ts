import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { errorResponses, readingErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Router } from '../http/router.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import type { CatalogRelease, SourceCard } from '../sources-port.ts';
import { readingTexts } from './reading-texts.ts';
import { comparisonSchema, toComparison } from './relation-schemas.ts';

const figure = z.number().nullable();
const cardSchema = z
  .object({
    id: z.string().openapi({ example: 'smollm2-135m-instruct/17-res-4k' }),
    model: z.string(),
    name: z.string(),
    hook_point: z.string().openapi({ description: 'Where it writes; an autoencoder reads there too.' }),
    hook_point_in: z.string().nullable().openapi({ description: 'Where a transcoder reads; null: where it writes.' }),
    kind: z.string(),
    activation: z.string(),
    features: z.int(),
    width_read: z.int(),
    width_written: z.int(),
    hash: z.string().openapi({ description: 'sha256 of its files.' }),
    origin: z.string().nullable().openapi({ description: 'What it was opened from.' }),
    resident_bytes: z.int().openapi({ description: 'Memory that its arrays hold now.' }),
    reads: z.boolean().openapi({ description: 'Whether set, pin and the like can read its features.' }),
    writes: z.boolean().openapi({ description: 'Whether steering can write them.' }),
    statistics_version: z.string().nullable(),
    median_stream_norm: figure,
    sink_norm: figure,
    variance_explained: figure,
    l0: figure,
    tokens_trained: figure,
    license: z.string().nullable(),
  })
  .openapi('Source');

const releaseSchema = z
  .object({
    release: z.string(),
    repository: z.string().openapi({ description: 'On the Hugging Face Hub.' }),
    model: z.string(),
    format: z.string(),
    dictionaries: z.int(),
    layers: z.array(z.int()),
    widths: z.array(z.string()),
    hook_points: z.array(z.string()).openapi({ description: 'N stands for a layer. Empty: not confirmed.' }),
    examples: z.array(z.string()).openapi({ description: 'What `tiller sae add` takes, of some of them.' }),
    centred: z.boolean().openapi({ description: 'Made with center_writing_weights: each mean is taken off.' }),
    licence: z.string().openapi({ description: 'As its page says it; `unconfirmed`: nobody has looked.' }),
    unsupported: z.string().nullable().openapi({ description: 'Why it is not read yet.' }),
  })
  .openapi('CatalogRelease');

const list = createRoute({
  method: 'get',
  path: '/api/v1/sources',
  operationId: 'listSources',
  summary: 'Loaded dictionaries',
  tags: ['Sources'],
  request: { query: z.strictObject({ model: z.string().min(1).optional() }) },
  responses: {
    200: {
      description: 'One card a source, in the order in which they were loaded.',
      content: { 'application/json': { schema: z.object({ sources: z.array(cardSchema) }) } },
    },
    ...errorResponses(['invalid_request', 'model_not_found', 'not_ready', 'draining', 'internal']),
  },
});

const catalog = createRoute({
  method: 'get',
  path: '/api/v1/sources/catalog',
  operationId: 'searchCatalog',
  summary: 'Published dictionaries that are known; touches no network',
  tags: ['Sources'],
  request: {
    query: z.strictObject({
      q: z.string().max(300).default('').openapi({ example: 'gemma-2-2b hook_resid_post 16k' }),
    }),
  },
  responses: {
    200: {
      description: 'Releases in whose names, models, formats, hook points, widths or repositories every word occurs.',
      content: { 'application/json': { schema: z.object({ releases: z.array(releaseSchema) }) } },
    },
    ...errorResponses(['invalid_request', 'not_ready', 'draining', 'internal']),
  },
});

const get = createRoute({
  method: 'get',
  path: '/api/v1/sources/{model}/{source}',
  operationId: 'getSource',
  summary: 'One loaded dictionary',
  tags: ['Sources'],
  request: { params: z.object({ model: z.string(), source: z.string() }) },
  responses: {
    200: { description: 'Its card.', content: { 'application/json': { schema: cardSchema } } },
    ...errorResponses(['model_not_found', 'source_not_found', 'not_ready', 'draining', 'internal']),
  },
});

/** Of all texts together, which are read while the caller waits. */
const mostTokens = 16_384;

const compareRequest = z
  .looseObject({
    a: z.string().min(1).max(300).openapi({ example: '8-res-4k' }),
    b: z.string().min(1).max(300).openapi({ example: '17-res-4k' }),
    model: z.string().min(1).nullish(),
    by: z.enum(['decoder', 'activation']).default('decoder').openapi({
      description:
        'Cosine of decoder vectors, or Pearson correlation of activations on `texts`, of features that fire there often enough.',
    }),
    texts: z
      .array(z.string().min(1))
      .min(1)
      .max(256)
      .nullish()
      .openapi({ description: `By activation: what is read, together at most ${mostTokens} tokens.` }),
    pairs: z.int().min(0).max(100_000).default(100).openapi({ description: 'How many pairs are listed, best first.' }),
  })
  .openapi('CompareRequest');

const compare = createRoute({
  method: 'post',
  path: '/api/v1/sources/compare',
  operationId: 'compareSources',
  summary: 'Which features two dictionaries have in common, by their decoder vectors or by where they fire',
  tags: ['Sources'],
  request: { body: { required: true, content: { 'application/json': { schema: compareRequest } } } },
  responses: {
    200: {
      description: 'Greedy and optimal one-to-one matchings; two dictionaries of 4,096 features take some 20 s.',
      content: { 'application/json': { schema: comparisonSchema } },
    },
    ...errorResponses(readingErrors),
  },
});

/** `GET /api/v1/sources`, `/catalog`, `/{model}/{source}`; `POST /api/v1/sources/compare`. */
export function registerSources(app: Router, services: Services): void {
  app.openapi(list, (c) => {
    const { model = null } = c.req.valid('query');
    return c.json({ sources: services.sources.list(model).map(toCard) }, 200);
  });
  app.openapi(catalog, (c) => {
    return c.json({ releases: services.sources.catalog(c.req.valid('query').q).map(toRelease) }, 200);
  });
  app.openapi(get, (c) => {
    const { model, source } = c.req.valid('param');
    return c.json(toCard(services.sources.get(model, source)), 200);
  });
  app.use(compare.path, jsonBody(compareRequest, services));
  app.openapi(
    compare,
    async (c) => {
      const { a, b, model: name = null, by, texts = null, pairs } = c.req.valid('json');
      const { signal } = c.req.raw;
      let sequences: readonly Int32Array[] | null = null;
      if ((by === 'activation') !== (texts !== null)) {
        const message =
          by === 'activation'
            ? "Activations are compared on texts: give 'texts'."
            : "Texts are for 'by': 'activation'; by decoder nothing is read. Leave them out.";
        throw new TillerError('invalid_request', message, { param: 'texts' });
      }
      if (texts !== null) {
        const { model } = await modelsOf(c, services)(name);
        const limits = { most: mostTokens, beyond: 'tiller sae compare --by activation takes more' };
        sequences = await readingTexts(model, texts, limits, signal);
      }
      const comparison = await services.relations.compare({ model: name, a, b, sequences }, signal);
      return c.json(toComparison(a, b, comparison, pairs), 200);
    },
    bodyHook(compareRequest),
  );
}

function toCard(card: SourceCard): z.infer<typeof cardSchema> {
  return {
    id: card.id,
    model: card.model,
    name: card.name,
    hook_point: card.hookPoint,
    hook_point_in: card.hookPointIn,
    kind: card.kind,
    activation: card.activation,
    features: card.features,
    width_read: card.widthRead,
    width_written: card.widthWritten,
    hash: card.hash,
    origin: card.origin,
    resident_bytes: card.residentBytes,
    reads: card.reads,
    writes: card.writes,
    statistics_version: card.statisticsVersion,
    median_stream_norm: card.medianStreamNorm,
    sink_norm: card.sinkNorm,
    variance_explained: card.varianceExplained,
    l0: card.l0,
    tokens_trained: card.tokensTrained,
    license: card.license,
  };
}

function toRelease(release: CatalogRelease): z.infer<typeof releaseSchema> {
  const { layers, widths, hookPoints, examples, ...rest } = release;
  return { ...rest, layers: [...layers], widths: [...widths], hook_points: [...hookPoints], examples: [...examples] };
}
