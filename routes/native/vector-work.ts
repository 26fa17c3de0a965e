import { createRoute, z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { decodeFloat32 } from '../http/float32.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import { checkMediaType, limitSize, readBytes } from '../http/read-body.ts';
import type { Router } from '../http/router.ts';
import { inlineVectorSchema } from '../http/steering-schema.ts';
import { modelsOf } from '../http/use-model.ts';
import type { NearFeature, Services, VectorReference } from '../services.ts';
import { featureSummarySchema } from './feature-schemas.ts';
import { descriptionSchema, modelQuery, modelSchema, nameSchema, toVector, vectorSchema } from './saved-schemas.ts';

const importPath = '/api/v1/vectors/import';
const fileTypes = /^application\/(?:octet-stream|vnd\.safetensors|x-gguf)\s*(?:;.*)?$/i;
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const binary = z.string().openapi({ format: 'binary' });
const modelErrors = ['model_not_found', 'model_unavailable'] as const;
const lookupErrors = [
  ...bodyErrors,
  ...modelErrors,
  'vector_not_found',
  'source_not_found',
  'feature_not_found',
  'hook_point_not_found',
  'edit_not_applicable',
] as const;

const referenceFields = {
  vector: z
    .union([z.string().min(1), inlineVectorSchema])
    .optional()
    .openapi({ description: 'A saved vector, or a direction in the request.' }),
  feature: z.string().min(1).optional().openapi({ description: "A feature's decoder row." }),
};
const referenceSchema = z.strictObject(referenceFields).openapi('VectorReference', {
  description: 'Exactly one of `vector` and `feature`.',
});

const importRoute = createRoute({
  method: 'post',
  path: importPath,
  operationId: 'importVector',
  summary: 'Save a file of directions as the next version of a vector',
  tags: ['Vectors'],
  request: {
    query: modelQuery.extend({ name: nameSchema, description: z.string().max(10_000).optional() }),
    body: {
      required: true,
      description:
        'Safetensors whose tensors are named by hook points, or a control vector of repeng or llama.cpp (GGUF), where `direction.L` is `blocks.L.hook_resid_post`. The first bytes say which.',
      content: { 'application/octet-stream': { schema: binary } },
    },
  },
  responses: {
    200: { description: 'The new version.', content: json(vectorSchema) },
    ...errorResponses([...bodyErrors, ...modelErrors, 'hook_point_not_found', 'edit_not_applicable', 'cancelled']),
  },
});

const combineSchema = z
  .strictObject({
    name: nameSchema,
    description: descriptionSchema,
    model: modelSchema.nullish(),
    terms: z
      .array(
        z.strictObject({
          ...referenceFields,
          scale: z.number().default(1),
          unit: z
            .boolean()
            .default(false)
            .openapi({ description: 'Take each of its directions at unit length first.' }),
        }),
      )
      .min(1)
      .max(64)
      .openapi({
        example: [
          { vector: 'pirate', unit: true },
          { vector: 'formal', scale: -0.5, unit: true },
        ],
      }),
    orthogonal_to: z.array(referenceSchema).max(64).default([]).openapi({
      description: 'What these span is taken out of the sum, at the hook points that they have in common.',
    }),
    unit: z.boolean().default(false).openapi({ description: 'Make each direction of the result one of unit length.' }),
  })
  .openapi('CombineVectors');

const combineRoute = createRoute({
  method: 'post',
  path: '/api/v1/vectors/combine',
  operationId: 'combineVectors',
  summary: 'Save a sum of scaled vectors, made orthogonal to others or of unit length',
  tags: ['Vectors'],
  request: { body: { required: true, content: json(combineSchema) } },
  responses: {
    200: { description: 'The new version; its `origin` is the recipe.', content: json(vectorSchema) },
    ...errorResponses(lookupErrors),
  },
});

const similaritySchema = z
  .strictObject({
    model: modelSchema.nullish(),
    vectors: z.array(referenceSchema).min(1).max(64),
    nearest: z.int().min(0).max(100).default(0).openapi({
      description:
        'So many features of each vector whose decoder rows have the largest cosine with it, of either sign.',
    }),
  })
  .openapi('VectorSimilarityRequest');

export const similarityAnswerSchema = z
  .object({
    model: z.string(),
    hook_points: z.array(
      z.object({
        hook_point: z.string(),
        vectors: z.array(
          z.object({
            name: z.string(),
            norm: z.number(),
            nearest: z
              .array(featureSummarySchema.omit({ score: true }).extend({ hook_point: z.string(), cosine: z.number() }))
              .optional(),
          }),
        ),
        cosines: z.array(z.array(z.number().nullable())).openapi({ description: 'In the order of `vectors`.' }),
      }),
    ),
  })
  .openapi('VectorSimilarity');

const similarityRoute = createRoute({
  method: 'post',
  path: '/api/v1/vectors/similarity',
  operationId: 'compareVectors',
  summary: 'Cosines among vectors and features, and the features nearest to each',
  tags: ['Vectors'],
  request: { body: { required: true, content: json(similaritySchema) } },
  responses: {
    200: { description: 'For each hook point that any of them has.', content: json(similarityAnswerSchema) },
    ...errorResponses([...lookupErrors, 'queue_full', 'cancelled']),
  },
});

/** `POST /api/v1/vectors/import`, `/combine` and `/similarity`. */
export function registerVectorWork(app: Router, services: Services): void {
  app.on(
    'POST',
    importPath,
    checkMediaType(fileTypes, 'application/octet-stream, application/vnd.safetensors or application/x-gguf'),
    limitSize(services.limits.bodyBytes),
  );
  app.openapi(importRoute, async (c) => {
    const { model: wanted, name, description = '' } = c.req.valid('query');
    const { model } = await modelsOf(c, services)(wanted ?? null);
    const bytes = new Uint8Array(await readBytes(c));
    return c.json(toVector(await model.vectorWork.importFile({ name, description, bytes })), 200);
  });
  app.on('POST', combineRoute.path, jsonBody(combineSchema, services));
  app.openapi(
    combineRoute,
    async (c) => {
      const { model: wanted, name, description, terms, orthogonal_to: others, unit } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(wanted ?? null);
      const vector = model.vectorWork.combine({
        name,
        description: description ?? '',
        terms: terms.map(({ scale, unit: ofTerm, ...reference }, i) => ({
          ...toReference(reference, `terms[${i}]`),
          ...{ scale, unit: ofTerm },
        })),
        orthogonalTo: others.map((other, i) => toReference(other, `orthogonal_to[${i}]`)),
        unit,
      });
      return c.json(toVector(vector), 200);
    },
    bodyHook(combineSchema),
  );
  app.on('POST', similarityRoute.path, jsonBody(similaritySchema, services));
  app.openapi(
    similarityRoute,
    async (c) => {
      const { model: wanted, vectors, nearest } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(wanted ?? null);
      const places = await model.vectorWork.similarity({
        vectors: vectors.map((vector, i) => toReference(vector, `vectors[${i}]`)),
        nearest,
        signal: c.req.raw.signal,
      });
      const hook_points = places.map(({ hookPoint, names, norms, cosines, nearest: near }) => ({
        hook_point: hookPoint,
        vectors: names.map((name, k) => ({ name, norm: norms[k] ?? 0, ...nearOf(near[k]) })),
        cosines: cosines.map((row) => [...row]),
      }));
      return c.json({ model: model.card.id, hook_points }, 200);
    },
    bodyHook(similaritySchema),
  );
}

function nearOf(features: readonly NearFeature[] | undefined) {
  if (features === undefined) return {};
  return {
    nearest: features.map(({ hookPoint, score: _score, ...feature }) => ({ ...feature, hook_point: hookPoint })),
  };
}

function toReference({ vector, feature }: z.infer<typeof referenceSchema>, param: string): VectorReference {
  if ((vector === undefined) === (feature === undefined)) {
    const got = vector === undefined ? 'neither' : 'both';
    throw new TillerError('invalid_request', `Give exactly one of 'vector' and 'feature'; this has ${got}.`, { param });
  }
  if (feature !== undefined) return { feature, param };
  if (typeof vector === 'string') return { vector, param };
  const { hook_point: hookPoint = '', data = '' } = vector ?? {};
  return { vector: { hookPoint, data: decodeFloat32(data, `${param}.vector.data`) }, param };
}
