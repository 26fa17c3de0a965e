import { TillerError } from '../engine/core/index.ts';
import { createRoutes, openApiDocument } from '../routes/index.ts';
import type { Services } from '../routes/services.ts';

/**
 * The OpenAPI document as text: keys sorted, two spaces, a newline at the end, so that equal routes give equal bytes. Pure:
 * routes are only registered, never called.
 */
export function renderOpenApi(version: string): string {
  const document = openApiDocument(createRoutes(stubServices(version)), version);
  return `${JSON.stringify(sortKeys(document), null, 2)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

/** A port that nothing is asked of. */
function stubServices(version: string): Services {
  const refuse = (): never => {
    throw new TillerError('internal', 'The OpenAPI renderer only registers routes; it does not answer requests.');
  };
  return {
    version,
    limits: { bodyBytes: 1, maxEdits: 1, maxChoices: 1, maxReplyTokens: null, streamTimeoutSeconds: 1 },
    models: refuse,
    startedUnixSeconds: 0,
    model: refuse,
    findModel: refuse,
    useModel: refuse,
    loadModel: refuse,
    unloadModel: refuse,
    features: { search: refuse, lookup: refuse, rerank: refuse, get: refuse },
    labels: { add: refuse, export: refuse, import: refuse },
    vectors: { list: refuse, get: refuse, controlVector: refuse, remove: refuse },
    profiles: { list: refuse, get: refuse, remove: refuse, exported: refuse, default: refuse, setDefault: refuse },
    relations: { neighbours: refuse, logits: refuse, virtualWeights: refuse, compare: refuse },
    sources: { list: refuse, get: refuse, catalog: refuse },
    jobs: {
      kinds: refuse,
      submit: refuse,
      list: refuse,
      get: refuse,
      cancel: refuse,
      remove: refuse,
      results: refuse,
    },
    notReady: refuse,
    draining: refuse,
    metrics: { render: refuse, observeHttp: refuse, clientGone: refuse },
  };
}
