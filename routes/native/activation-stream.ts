import type { Context } from 'hono';
import type { EditReport } from '../../engine/core/index.ts';
import type { ClientPresence } from '../http/cancel.ts';
import { presentableError, problemDocument, reportFailure } from '../http/errors.ts';
import type { AppEnv, Warning } from '../http/router.ts';
import { dataEvent } from '../http/sse.ts';
import type { Inspection, Services } from '../services.ts';
import { sourceHeads, sourceText, tokenFeatures } from './activation-answer.ts';
import type { ActivationsEvent } from './activation-schemas.ts';
import { inspectRun, steeringOf } from './inspected-run.ts';
import type { ReadingPlan } from './reading-plan.ts';

/** The answer as server-sent events: inputs one after the other, their tokens as they are read. */
export async function* activationEvents(
  plan: ReadingPlan,
  inspection: Inspection,
  presence: ClientPresence,
): AsyncGenerator<string> {
  const names = inspection.sources.map(({ id }) => id);
  const reports: (readonly EditReport[])[] = [];
  const warnings: Warning[] = [];
  let begun = false;
  try {
    for (const index of plan.inputs.keys()) {
      for await (const event of inspectRun(plan, inspection, index)) {
        // told once the engine has taken the first input: what is refused is refused with a status
        if (index === 0 && !begun)
          yield render({ type: 'start', model: plan.model.card.id, sources: sourceHeads(inspection) });
        begun = true;
        if (event.type === 'token') {
          const sources = event.sources?.map(({ ignored, indices, values }, k) => ({
            source: names[k] ?? '',
            ignored,
            features: tokenFeatures(indices, values),
          }));
          yield render({ type: 'token', input: index, token: event.token, sources: sources ?? null });
        } else {
          const { promptTokens, reply, sources, warning } = event.run;
          reports.push(event.run.reports);
          if (warning) warnings.push(warning);
          const texts = sources.map(({ text }, k) => sourceText(names[k] ?? '', text));
          yield render({ type: 'end', input: index, prompt_tokens: promptTokens, reply, sources: texts });
        }
      }
    }
    const steering = steeringOf(plan.steering, reports, plan);
    yield render({ type: 'done', ...(steering ? { steering } : {}), ...(warnings.length > 0 ? { warnings } : {}) });
  } catch (error) {
    presence.abort();
    throw error;
  }
}

/** Tells a failure inside a stream that has begun. */
export function failureEvent(services: Services, c: Context<AppEnv>, route: string): (thrown: unknown) => string {
  return (thrown) => {
    const requestId = c.get('requestId');
    reportFailure(services, thrown, { requestId, route });
    return render({ type: 'error', error: problemDocument(presentableError(thrown), c.req.path, requestId) });
  };
}

function render(event: ActivationsEvent): string {
  return dataEvent(event);
}
