import { TillerError } from '../../engine/index.ts';
import { createTurnPace } from '../../engine/turn-pace.ts';
import type { Contrast, ContrastRequest, ContrastVector, ModelCard, ModelService } from '../../routes/services.ts';
import {
  assignFolds,
  aurocOfChoosing,
  bagOfWords,
  checkName,
  contrastDirection,
  contrastFeatures,
  denseRows,
  effectSize,
  type HeldOut,
  heldOut,
  heldOutWithin,
  type ItemSamples,
  isPaired,
  type Pace,
  type PlaceScores,
  type Source,
} from '../../sae-registry/index.ts';
import { OneAtATime } from '../one-at-a-time.ts';
import type { ReadyModel } from '../services.ts';
import { checkItems } from './check-items.ts';
import { refuseTooLarge, samplesOf } from './estimate.ts';
import { nearestFeatures } from './nearest-features.ts';
import { contrastPlaces } from './places.ts';
import { type ItemReading, type ReadPlace, readItems } from './read-items.ts';

/** Contrasts of one model that wait for their turn; more are refused. */
const mostWaiting = 8;
/** Most activations of a token that are looked at: tokens that count have tens. */
const mostActivations = 1024;
let contrasts = 0;

/** What contrasting needs of a loaded model. */
export interface ContrastedModel extends Pick<ReadyModel, 'engine' | 'registry'> {
  readonly card: ModelCard;
  readonly saveVector: ModelService['saveVector'];
}

/** `ModelService.contrast` over a loaded model: one at a time, as each keeps what it has read. */
export function contrasting(model: ContrastedModel): Pick<ModelService, 'contrast'> {
  const line = new OneAtATime(mostWaiting);
  return { contrast: (request) => line.run(() => contrast(model, request), request.signal) };
}

async function contrast(model: ContrastedModel, request: ContrastRequest): Promise<Contrast> {
  const { registry, card } = model;
  const { method, features, signal } = request;
  if (request.saveAs !== null) checkName(request.saveAs.name, 'save_as.name');
  if (isPaired(method) && !request.paired) {
    const message = `'${method}' looks at the difference within each pair: give 'pairs', or another 'method'.`;
    throw new TillerError('invalid_request', message, { param: 'method' });
  }
  if (isPaired(method) && request.positions === 'all') {
    const message = `'${method}' takes one sample of each item: use positions 'mean', 'last' or 'answer'.`;
    throw new TillerError('invalid_request', message, { param: 'positions' });
  }
  checkItems(request);
  const items = [...request.positive, ...request.negative];
  const positive = items.map((_, at) => at < request.positive.length);
  const pairOf = (at: number) => (request.paired ? at % request.positive.length : null);
  const folds = assignFolds(
    items.map(({ topic }, at) => ({ positive: positive[at], topic, pair: pairOf(at) })),
    request.folds,
  );
  const places = contrastPlaces(request.hookPoints, card, registry);
  const tokens = items.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const foldCount = new Set(folds).size;
  const widths = places.map(({ width }) => width);
  refuseTooLarge({ tokens, samples: samplesOf(request), widths, folds: foldCount, method });
  const sources = features === null ? [] : registry.sourcesNamed(features.sources, 'features.sources');
  const readings = await readItems(model.engine, items, {
    id: `contrast-${++contrasts}`,
    positions: request.positions,
    places,
    sources: sources.map((source) => ({
      encoder: registry.encoder(source),
      limit: mostActivations,
      sinkNorm: source.card?.sink_norm ?? Number.POSITIVE_INFINITY,
    })),
    signal,
  });
  const known = { request, folds, positive, readings, pace: interruptible(signal) };
  return {
    items: {
      positive: request.positive.length,
      negative: request.negative.length,
      topics: new Set(items.flatMap(({ topic }) => topic ?? [])).size,
    },
    tokens,
    folds: foldCount,
    ...(await makeVector(model, places, known)),
    bagOfWords: await bagOfWords(
      items.map(({ tokenIds, own }) => tokenIds.subarray(Math.max(1, own.from), own.to)),
      known,
      known.pace,
    ),
    sources: await differingFeatures(model, sources, known),
  };
}

interface Known {
  readonly request: ContrastRequest;
  readonly folds: Uint8Array;
  readonly positive: readonly boolean[];
  readonly readings: readonly ItemReading[];
  readonly pace: Pace;
}

async function makeVector(
  model: ContrastedModel,
  places: readonly ReadPlace[],
  known: Known,
): Promise<Pick<Contrast, 'vector' | 'hookPoints'>> {
  const { registry } = model;
  const { request, pace } = known;
  const scored: (HeldOut & PlaceScores & { readonly effectSize: number })[] = [];
  const isChosen = choiceIsHeldOut(places.length, known.folds);
  for (const at of places.keys()) {
    const samples = samplesAt(at, places, known);
    const held = await heldOut(samples, request.method, known, pace);
    const within = isChosen ? await heldOutWithin(samples, request.method, known.folds, pace) : new Map();
    scored.push({ ...held, within, effectSize: effectSize(held.scores, known.positive) });
  }
  // where several tell all items apart, the one that does so most clearly
  const better = (a: number, b: number) =>
    scored[b].auroc - scored[a].auroc || scored[b].effectSize - scored[a].effectSize || a - b;
  const [best] = Array.from(places.keys()).sort(better);
  const { hookPoint } = places[best];
  const found = await contrastDirection(samplesAt(best, places, known), request.method, pace);
  const norm = Math.abs(found.separation);
  const values = Float32Array.from(found.direction, (value) => value * norm);
  const median = registry.streamNorm(hookPoint)?.norm;
  const { positive: positiveMean, negative: negativeMean } = found.means;
  const vector: ContrastVector = {
    hookPoint,
    values,
    norm,
    relativeNorm: median === undefined ? null : norm / median,
    heldOut: intervalOf(scored[best]),
    effectSize: scored[best].effectSize,
    heldOutWithChoice: isChosen ? aurocOfChoosing(scored, known) : null,
    probe: { positiveMean, negativeMean, deviation: found.deviation },
    nearest: await nearestFeatures(registry, { hookPoint, values }, request.nearest, pace),
    saved: null,
  };
  const hookPoints = scored.map((held, at) => ({
    hookPoint: places[at].hookPoint,
    heldOut: intervalOf(held),
    effectSize: held.effectSize,
  }));
  return { vector: { ...vector, saved: save(model, vector, request) }, hookPoints };
}

/** A fold and what it is chosen by are both left out: there must be a third. */
function choiceIsHeldOut(places: number, folds: Uint8Array): boolean {
  return places > 1 && new Set(folds).size > 2;
}

function save(
  { saveVector }: ContrastedModel,
  { hookPoint, values }: ContrastVector,
  { saveAs, method }: ContrastRequest,
): ContrastVector['saved'] {
  if (saveAs === null) return null;
  const directions = [{ hookPoint, values, param: 'vector' }];
  return saveVector({ ...saveAs, directions, made: { method, origin: 'POST /api/v1/contrast' } });
}

const intervalOf = ({ auroc, low, high }: HeldOut) => ({ auroc, low, high });

/** The items' samples at one place, behind each other. */
function samplesAt(at: number, places: readonly ReadPlace[], known: Known): ItemSamples {
  const { request, readings, positive } = known;
  const { width } = places[at];
  const parts = readings.map((reading) => reading.places[at]);
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  const item: number[] = [];
  for (const [of, part] of parts.entries()) {
    values.set(part, item.length * width);
    for (let row = 0; row < part.length / width; row++) item.push(of);
  }
  const count = request.positive.length;
  const pairs = isPaired(request.method)
    ? request.positive.map((_, pair) => ({ positive: pair, negative: count + pair }))
    : [];
  return { rows: denseRows(values, width), item, positive: item.map((of) => positive[of]), pairs };
}

async function differingFeatures(
  { registry }: ContrastedModel,
  sources: readonly Source[],
  known: Known,
): Promise<Contrast['sources']> {
  const { request, readings, pace } = known;
  const { by, limit } = request.features ?? { by: 'auroc', limit: 0 };
  const found: Contrast['sources'][number][] = [];
  for (const [k, source] of sources.entries()) {
    const rows = readings.map((reading) => reading.features[k]);
    const ranked = await contrastFeatures(rows, known, { by, limit, pace });
    found.push({
      id: source.id,
      hookPoint: source.hookPoint,
      truncatedTokens: readings.reduce((sum, reading) => sum + reading.truncated[k], 0),
      features: ranked.map(({ index, positiveCount, negativeCount, ...figures }) => ({
        ...registry.summary(source, index),
        ...figures,
        positiveItems: positiveCount,
        negativeItems: negativeCount,
      })),
    });
  }
  return found;
}

/** Lets the event loop turn, and ends where the client has left. */
function interruptible(signal: AbortSignal): Pace {
  const pace = createTurnPace();
  return {
    isDue: pace.isDue,
    async turn() {
      await pace.turn();
      if (signal.aborted) throw new TillerError('cancelled', 'The request was cancelled by its caller.');
    },
  };
}
