import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { TillerError } from '../../engine/core/index.ts';
import { acceptedType, jsonType, safetensorsType } from '../http/accept.ts';
import { bodyErrors, errorResponses } from '../http/error-responses.ts';
import { decodeFloat32 } from '../http/float32.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { AppEnv, Router } from '../http/router.ts';
import { safetensorsResponse } from '../http/safetensors.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services, VectorDetail } from '../services.ts';
import { nameOf, savedModel } from './saved-model.ts';
import {
  deletedSchema,
  modelQuery,
  newVectorSchema,
  referenceParams,
  toVector,
  toVectorDetail,
  vectorDetailSchema,
  vectorSchema,
} from './saved-schemas.ts';

const path = '/api/v1/vectors';
const common = ['not_ready', 'draining', 'internal'] as const;
const ggufType = 'application/x-gguf';
const binary = z.string().openapi({ format: 'binary' });
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

const listRoute = createRoute({
  method: 'get',
  path,
  operationId: 'listVectors',
  summary: 'Saved vectors',
  tags: ['Vectors'],
  request: { query: modelQuery },
  responses: {
    200: {
      description: 'Every version, newest first within a name; of all models where none is named.',
      content: json(z.object({ vectors: z.array(vectorSchema) })),
    },
    ...errorResponses(['model_not_found', ...common]),
  },
});

const saveRoute = createRoute({
  method: 'post',
  path,
  operationId: 'saveVector',
  summary: 'Save directions as the next version of a vector',
  tags: ['Vectors'],
  request: { body: { required: true, content: json(newVectorSchema) } },
  responses: {
    200: { description: 'The new version.', content: json(vectorSchema) },
    ...errorResponses([
      ...bodyErrors,
      'model_not_found',
      'model_unavailable',
      'hook_point_not_found',
      'edit_not_applicable',
    ]),
  },
});

const getRoute = createRoute({
  method: 'get',
  path: `${path}/{name}`,
  operationId: 'getVector',
  summary: 'One version of a vector with its directions',
  tags: ['Vectors'],
  request: { params: referenceParams, query: modelQuery },
  responses: {
    200: {
      description:
        'The newest version, or the one that is named; as safetensors a tensor for each hook point, as GGUF a control vector for llama.cpp and repeng.',
      content: {
        ...json(vectorDetailSchema),
        [safetensorsType]: { schema: binary },
        [ggufType]: { schema: binary },
      },
    },
    ...errorResponses(['model_not_found', 'vector_not_found', 'edit_not_applicable', 'not_acceptable', ...common]),
  },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{name}`,
  operationId: 'deleteVector',
  summary: 'Delete a version of a vector (`name:version`), or all of them (`name`)',
  tags: ['Vectors'],
  request: { params: referenceParams, query: modelQuery },
  responses: {
    200: { description: 'What was deleted.', content: json(deletedSchema) },
    ...errorResponses(['model_not_found', 'vector_not_found', 'in_use', ...common]),
  },
});

/** `GET`, `POST /api/v1/vectors`; `GET`, `DELETE /api/v1/vectors/{name}`. */
export function registerVectors(app: Router, services: Services): void {
  app.openapi(listRoute, (c) => {
    const { model } = c.req.valid('query');
    const id = model === undefined ? null : savedModel(services, model);
    return c.json({ vectors: services.vectors.list(id).map(toVector) }, 200);
  });
  app.on('POST', path, jsonBody(newVectorSchema, services));
  app.openapi(
    saveRoute,
    async (c) => {
      const { name, description, model: wanted, directions } = c.req.valid('json');
      const { model } = await modelsOf(c, services)(wanted ?? null);
      const vector = model.saveVector({
        name,
        description: description ?? '',
        directions: directions.map(({ hook_point: hookPoint, data }, at) => {
          const param = `directions[${at}]`;
          return { hookPoint, values: toFloats(data, `${param}.data`), param };
        }),
      });
      return c.json(toVector(vector), 200);
    },
    bodyHook(newVectorSchema),
  );
  app.openapi(getRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    const { name } = c.req.valid('param');
    const type = acceptedType(c, [jsonType, safetensorsType, ggufType]);
    if (type === ggufType)
      return c.body(services.vectors.controlVector(model, name), 200, { 'Content-Type': ggufType });
    const vector = services.vectors.get(model, name);
    return type === jsonType ? c.json(toVectorDetail(vector), 200) : asTensors(c, vector);
  });
  app.openapi(deleteRoute, (c) => {
    const model = savedModel(services, c.req.valid('query').model);
    const { name } = c.req.valid('param');
    return c.json({ model, name: nameOf(name), deleted: services.vectors.remove(model, name) }, 200);
  });
}

/** A tensor for each hook point, as `POST /api/v1/vectors/import` takes it. */
function asTensors(c: Context<AppEnv>, vector: VectorDetail): Response {
  const tensors = vector.directions.map(({ hookPoint, values }) => {
    return [hookPoint, { type: 'F32', shape: [values.length], data: values }] as const;
  });
  const { model, name, version, method, description } = vector;
  return safetensorsResponse(c, new Map(tensors), { model, name, version: String(version), method, description });
}

function toFloats(data: string | readonly number[], param: string): Float32Array {
  if (typeof data === 'string') return decodeFloat32(data, param);
  const values = Float32Array.from(data);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  const message = `'${param}' has a number that is not finite in float32 at index ${at}: no edit can be made of it.`;
  throw new TillerError('edit_not_applicable', message, { param });
}
