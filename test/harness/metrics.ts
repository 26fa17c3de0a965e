import type { EngineEvent, EngineStatistics } from '../../engine/core/index.ts';
import { createMetrics, type Metrics } from '../../src/metrics/create-metrics.ts';
import type { ServedModel } from '../../src/metrics/served-model.ts';
import { type Exposition, parsePrometheusText } from './prometheus-text.ts';

type EventOf<Type extends EngineEvent['type']> = Extract<EngineEvent, { readonly type: Type }>;

/** An engine at a moment: three rows, two waiting, one of them for its graph. */
export const engineStatistics: EngineStatistics = {
  running: 3,
  waiting: 2,
  waitingForVariant: 1,
  waitingForCapacity: 1,
  slots: 16,
  context: 100,
  keyValueTokens: 400,
  prefixTokens: 160,
  keyValueTokenLimit: 1600,
  keyValueTokenBytes: 10,
  prefixQueries: 900,
  prefixHits: 300,
  prefixBlocksEvicted: 7,
  variantsBuilt: 5,
  variantsCached: 3,
  variantsEvicted: 2,
  variantFallbackSteps: 11,
  variantBuildMilliseconds: 2500,
  queueLimit: 64,
  draining: false,
  broken: null,
};

export const servedSource = 'toy/3-res';

/** A model called `toy` with one SAE; `statistics` is read each time that the engine's are. */
export function toyServed(statistics: Partial<EngineStatistics> = {}): ServedModel {
  return {
    id: 'toy',
    model: { executor: { blocks: { blockTokens: 16 } } },
    engine: { statistics: () => ({ ...engineStatistics, ...statistics }) },
    registry: { sources: [{ id: servedSource, residentBytes: 4096 }] },
  };
}

/** Metrics of that model, and its observers. */
export function toyMetrics(): Metrics & ReturnType<Metrics['of']> {
  const served = toyServed();
  const metrics = createMetrics(() => [served]);
  return { ...metrics, ...metrics.of(served.id) };
}

/** What a scrape gives, read by the parser. */
export async function scrape({ services }: Pick<Metrics, 'services'>): Promise<Exposition> {
  return parsePrometheusText((await services.render()).body);
}

export function stepEvent(fields: Partial<EventOf<'step'>> = {}): EventOf<'step'> {
  return {
    type: 'step',
    kind: 'decode',
    rows: 2,
    steeredRows: 1,
    distinctSteerings: 1,
    tokens: 2,
    editedTokens: 3,
    milliseconds: 20,
    phases: { plan: 1, run: 16, commit: 3 },
    predictedMilliseconds: 16,
    ...fields,
  };
}

export function finishedEvent(fields: Partial<EventOf<'finished'>> = {}): EventOf<'finished'> {
  return {
    type: 'finished',
    requestId: 'a',
    outcome: 'stop',
    promptTokens: 30,
    completionTokens: 11,
    steered: false,
    milliseconds: 1700,
    queueMilliseconds: 500,
    prefillMilliseconds: 200,
    decodeMilliseconds: 1000,
    ...fields,
  };
}
