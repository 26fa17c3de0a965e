import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderOpenApi } from '../../openapi/render.ts';

const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const rendered = renderOpenApi(version);

interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<string, { description?: string; content?: Record<string, { schema?: object }> }>;
}
const document = JSON.parse(rendered) as {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

describe('the OpenAPI document', () => {
  it('is committed as it is rendered (npm run openapi)', () => {
    expect(readFileSync(join(root, 'openapi/tiller.json'), 'utf8')).toBe(rendered);
  });

  it('is 3.1, with every route', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'DELETE /api/v1/jobs/{id}',
      'DELETE /api/v1/profiles/{name}',
      'DELETE /api/v1/vectors/{name}',
      'GET /',
      'GET /api/v1/features/neighbors',
      'GET /api/v1/features/search',
      'GET /api/v1/features/{model}/{source}/{index}',
      'GET /api/v1/features/{model}/{source}/{index}/logits',
      'GET /api/v1/jobs',
      'GET /api/v1/jobs/{id}',
      'GET /api/v1/jobs/{id}/results',
      'GET /api/v1/models',
      'GET /api/v1/models/{model}',
      'GET /api/v1/models/{model}/hook-points',
      'GET /api/v1/profiles',
      'GET /api/v1/profiles/default',
      'GET /api/v1/profiles/{name}',
      'GET /api/v1/profiles/{name}/export',
      'GET /api/v1/sources',
      'GET /api/v1/sources/catalog',
      'GET /api/v1/sources/{model}/{source}',
      'GET /api/v1/sources/{model}/{source}/labels',
      'GET /api/v1/vectors',
      'GET /api/v1/vectors/{name}',
      'GET /healthz',
      'GET /metrics',
      'GET /openapi.json',
      'GET /readyz',
      'GET /v1/models',
      'GET /v1/models/{model}',
      'POST /api/v1/activation-patching',
      'POST /api/v1/activations',
      'POST /api/v1/auto-conditional',
      'POST /api/v1/auto-steer',
      'POST /api/v1/contrast',
      'POST /api/v1/features/lookup',
      'POST /api/v1/features/neighbors',
      'POST /api/v1/features/rerank',
      'POST /api/v1/features/search',
      'POST /api/v1/features/search-by-activation',
      'POST /api/v1/features/virtual-weights',
      'POST /api/v1/features/{model}/{source}/{index}/labels',
      'POST /api/v1/interventions',
      'POST /api/v1/jobs',
      'POST /api/v1/jobs/{id}/cancel',
      'POST /api/v1/log-probabilities',
      'POST /api/v1/logits',
      'POST /api/v1/models/{model}/load',
      'POST /api/v1/models/{model}/unload',
      'POST /api/v1/profiles',
      'POST /api/v1/profiles/import',
      'POST /api/v1/sources/compare',
      'POST /api/v1/sources/{model}/{source}/evaluate',
      'POST /api/v1/sources/{model}/{source}/labels',
      'POST /api/v1/steering/evaluate',
      'POST /api/v1/sweeps',
      'POST /api/v1/taps',
      'POST /api/v1/vectors',
      'POST /api/v1/vectors/combine',
      'POST /api/v1/vectors/import',
      'POST /api/v1/vectors/similarity',
      'POST /api/v1/vectors/{name}/evaluate',
      'POST /detokenize',
      'POST /tokenize',
      'POST /v1/chat/completions',
      'POST /v1/completions',
      'PUT /api/v1/profiles/default',
    ]);
  });

  it('gives every operation its own id', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(operations.length);
    expect(ids).not.toContain(undefined);
  });

  it.each(operations)('$name has a summary, a 200 body and error bodies', ({ operation }) => {
    expect(operation.summary).toBeTruthy();
    const statuses = Object.keys(operation.responses);
    expect(statuses.some((status) => status === '200' || status === '202')).toBe(true);
    expect(statuses.filter((status) => Number(status) >= 400).length).toBeGreaterThan(0);
    for (const response of Object.values(operation.responses)) {
      expect(response.description).toBeTruthy();
      const bodies = Object.values(response.content ?? {});
      expect(bodies.length).toBeGreaterThan(0);
      for (const { schema } of bodies) expect(Object.keys(schema ?? {}).length).toBeGreaterThan(0);
    }
  });

  it('refers only to schemas that it has', () => {
    const names = [...rendered.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(0);
    for (const name of new Set(names)) expect(Object.keys(document.components.schemas)).toContain(name);
  });
});
