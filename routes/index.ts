import type { Context, MiddlewareHandler } from 'hono';
import { requestId } from 'hono/request-id';
import type { TillerError } from '../engine/core/index.ts';
import { presentableError, problemResponse, reportFailure } from './http/errors.ts';
import { matchedRoute, unknownRoute } from './http/not-found.ts';
import { observeRequests } from './http/observe.ts';
import { type AppEnv, createRouter, type Router } from './http/router.ts';
import { spreadRequests } from './http/spread-requests.ts';
import { registerActivationPatching } from './native/activation-patching.ts';
import { registerActivationSearch } from './native/activation-search.ts';
import { registerActivations } from './native/activations.ts';
import { registerAutoConditional } from './native/auto-conditional.ts';
import { registerAutoSteer } from './native/auto-steer.ts';
import { registerContrast } from './native/contrast.ts';
import { registerDefaultProfile } from './native/default-profile.ts';
import { registerEvaluation } from './native/evaluation.ts';
import { registerFeatureLabels } from './native/feature-labels.ts';
import { registerFeatureLookup } from './native/feature-lookup.ts';
import { registerFeatureSearch } from './native/feature-search.ts';
import { registerFeatures } from './native/features.ts';
import { registerHookPoints } from './native/hook-points.ts';
import { registerInterventions } from './native/interventions.ts';
import { registerJobs } from './native/jobs.ts';
import { registerLabels } from './native/labels.ts';
import { registerLogProbabilities } from './native/log-probabilities.ts';
import { registerLogits } from './native/logits.ts';
import { registerModelCards } from './native/models.ts';
import { registerProfileFiles } from './native/profile-files.ts';
import { registerProfiles } from './native/profiles.ts';
import { registerRelations } from './native/relations.ts';
import { registerSourceEvaluation } from './native/source-evaluation.ts';
import { registerSources } from './native/sources.ts';
import { registerSweeps } from './native/sweeps.ts';
import { registerTaps } from './native/taps.ts';
import { registerVectorWork } from './native/vector-work.ts';
import { registerVectors } from './native/vectors.ts';
import { registerChatCompletions } from './openai/chat-completions.ts';
import { registerCompletions } from './openai/completions.ts';
import { registerDetokenize } from './openai/detokenize.ts';
import { openAiErrorResponse } from './openai/errors.ts';
import { registerModels } from './openai/models.ts';
import { registerTokenize } from './openai/tokenize.ts';
import { registerDocument } from './ops/document.ts';
import { refuseUnlessReady, registerHealth } from './ops/health.ts';
import { registerMetrics } from './ops/metrics.ts';
import { registerRoot } from './ops/root.ts';
import type { Services } from './services.ts';

export { openApiDocument } from './ops/document.ts';

/** Paths of the OpenAI dialect, which answers errors in OpenAI's shape; everything else answers problem documents. */
const openAiPath = /^\/(?:v1(?:\/|$)|tokenize$|detokenize$)/;
/** Paths that need a model; operations answer while there is none. */
const modelPaths = ['/v1/*', '/api/*', '/tokenize', '/detokenize'];

/** The whole HTTP layer over the port: every route, and one place where errors become answers. */
export function createRoutes(services: Services): Router {
  const app = createRouter();
  app.use(requestId(), startWithoutWarnings, observeRequests(app, services), spreadRequests());
  for (const path of modelPaths) app.use(path, requireReady(services));
  registerChatCompletions(app, services);
  registerCompletions(app, services);
  registerModels(app, services);
  registerTokenize(app, services);
  registerDetokenize(app, services);
  registerActivationSearch(app, services);
  registerActivations(app, services);
  registerTaps(app, services);
  registerFeatureSearch(app, services);
  registerFeatureLookup(app, services);
  registerFeatures(app, services);
  registerFeatureLabels(app, services);
  registerLabels(app, services);
  registerRelations(app, services);
  registerSources(app, services);
  registerLogits(app, services);
  registerLogProbabilities(app, services);
  registerModelCards(app, services);
  registerSourceEvaluation(app, services);
  registerHookPoints(app, services);
  registerInterventions(app, services);
  registerActivationPatching(app, services);
  registerVectors(app, services);
  registerContrast(app, services);
  registerVectorWork(app, services);
  registerEvaluation(app, services);
  registerSweeps(app, services);
  registerAutoSteer(app, services);
  registerAutoConditional(app, services);
  registerJobs(app, services);
  // before the routes by name: `default` and `import` are no names
  registerDefaultProfile(app, services);
  registerProfileFiles(app, services);
  registerProfiles(app, services);
  registerHealth(app, services);
  registerMetrics(app, services);
  registerDocument(app, services.version);
  registerRoot(app, services.version);
  // Answered, not thrown: what a not-found handler throws would skip the code behind `next()` in the last middleware.
  app.notFound((c) => errorResponse(unknownRoute(app, c), c));
  app.onError((thrown, c) => {
    reportFailure(services, thrown, { requestId: c.get('requestId'), route: matchedRoute(app, c) });
    return errorResponse(presentableError(thrown), c);
  });
  return app;
}

/** The error in the dialect of the path that it happened on. Headers set so far (X-Request-Id, Allow) stay. */
function errorResponse(error: TillerError, c: Context<AppEnv>): Response {
  const { path } = c.req;
  const answer = openAiPath.test(path)
    ? openAiErrorResponse(error)
    : problemResponse(error, path, c.get('requestId') ?? '');
  return c.newResponse(answer.body, answer);
}

const startWithoutWarnings: MiddlewareHandler<AppEnv> = async (c, next) => {
  c.set('warnings', []);
  await next();
};

function requireReady(services: Services): MiddlewareHandler<AppEnv> {
  return async (_, next) => {
    refuseUnlessReady(services);
    await next();
  };
}
