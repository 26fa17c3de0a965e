import {
  type Encoding,
  type Engine,
  type GenerationEvent,
  greedyRequest,
  type SparseActivations,
  TillerError,
} from '../../engine/index.ts';
import type { ContrastItem, ContrastPositions } from '../../routes/services.ts';
import type { SparseRow } from '../../sae-registry/index.ts';

/** A hook point whose values are read. */
export interface ReadPlace {
  readonly hookPoint: string;
  readonly width: number;
  /** Tokens with a longer vector are attention sinks; Infinity: nobody knows. */
  readonly sinkNorm: number;
}

/** A source whose features are read. */
export interface ReadSource extends Encoding {
  readonly sinkNorm: number;
}

/** What is kept of one item. */
export interface ItemReading {
  /** Of each place its samples, [samples, width]: one, or with `all` one a token that counts. */
  readonly places: readonly Float32Array[];
  /** Of each source the mean activations over the same tokens. */
  readonly features: readonly SparseRow[];
  /** Of each source, tokens with more activations than were told. */
  readonly truncated: readonly number[];
}

export interface ReadOptions {
  readonly id: string;
  readonly positions: ContrastPositions;
  readonly places: readonly ReadPlace[];
  readonly sources: readonly ReadSource[];
  readonly signal: AbortSignal;
}

type Activations = Extract<GenerationEvent, { type: 'activations' }>;

/** Items that are with the engine at once; they take turns with whoever else is there. */
const together = 2;

/**
 * Runs the items through the model and keeps of each, as its tokens are read, what its positions ask for and nothing else; in the
 * order of the items. Throws what `Engine.submit` throws, and `invalid_request` naming the item where all its tokens are attention sinks.
 */
export async function readItems(
  engine: Engine,
  items: readonly ContrastItem[],
  options: ReadOptions,
): Promise<ItemReading[]> {
  const readings: ItemReading[] = [];
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let next = 0;
  const work = async () => {
    for (let at = next++; at < items.length; at = next++) {
      readings[at] = await readItem(engine, items[at], { ...options, id: `${options.id}-${at}`, signal });
    }
  };
  try {
    await Promise.all(Array.from({ length: together }, work));
  } finally {
    stop.abort();
  }
  return readings;
}

async function readItem(engine: Engine, item: ContrastItem, options: ReadOptions): Promise<ItemReading> {
  const { places, sources, signal } = options;
  // sources may share a dictionary, which is read once
  const encodings = sources.filter(({ encoder }, at) => firstOf(sources, encoder.key) === at);
  const encodingOf = sources.map(({ encoder }) => firstOf(encodings, encoder.key));
  const range = countedRange(item, options.positions);
  // nothing behind the last token that counts is looked at
  const tokenIds = item.tokenIds.slice(0, range.to);
  const kept = places.map((place) => new PlaceSamples(place, options.positions === 'all'));
  const found = sources.map(({ sinkNorm }, at) => new FeatureMeans(encodingOf[at], sinkNorm));
  const how = { taps: [...new Set(places.map(({ hookPoint }) => hookPoint))], encodings, signal };
  for await (const event of engine.submit(greedyRequest(options.id, tokenIds, 0, how))) {
    if (event.type === 'activations') take(event, range, kept, found);
  }
  const lost = kept.find(({ count }) => count === 0);
  if (lost) {
    const message = `'${item.param}' has no token that counts at ${lost.place.hookPoint}: all of them are attention sinks. Leave it out.`;
    throw new TillerError('invalid_request', message, { param: item.param });
  }
  return {
    places: kept.map((one) => one.samples()),
    features: found.map((one) => one.row()),
    truncated: found.map((one) => one.truncated),
  };
}

function take(
  { start, taps, activations }: Activations,
  { from, to }: { readonly from: number; readonly to: number },
  kept: readonly PlaceSamples[],
  found: readonly FeatureMeans[],
): void {
  for (const one of kept) {
    const { hookPoint, width } = one.place;
    const values = taps.get(hookPoint);
    if (!values) throw new TillerError('internal', `${hookPoint} was not read`);
    for (let t = Math.max(0, from - start); t < Math.min(values.length / width, to - start); t++) {
      one.add(values.subarray(t * width, (t + 1) * width));
    }
  }
  for (const one of found) {
    const part = activations[one.encoding];
    if (!part) throw new TillerError('internal', 'an encoder was not read');
    one.add(part, Math.max(0, from - start), Math.min(part.tokens, to - start));
  }
}

/** Tokens that an item is read at, half open. */
function countedRange(
  item: ContrastItem,
  positions: ContrastPositions,
): { readonly from: number; readonly to: number } {
  const { tokenIds, own, answer } = item;
  if (positions === 'last') return { from: tokenIds.length - 1, to: tokenIds.length };
  if (positions === 'answer') return { from: answer ?? 0, to: (answer ?? 0) + 1 };
  return { from: Math.max(1, own.from), to: own.to };
}

/** The values of an item at a place: their mean, or all of them. */
class PlaceSamples {
  readonly place: ReadPlace;
  count = 0;
  readonly #sum: Float64Array;
  readonly #all: Float32Array[] | null;

  constructor(place: ReadPlace, keepsAll: boolean) {
    this.place = place;
    this.#sum = new Float64Array(place.width);
    this.#all = keepsAll ? [] : null;
  }

  add(values: Float32Array): void {
    if (lengthOf(values) > this.place.sinkNorm) return;
    this.count++;
    if (this.#all) this.#all.push(values.slice());
    else for (let i = 0; i < values.length; i++) this.#sum[i] += values[i];
  }

  samples(): Float32Array {
    const { count } = this;
    if (!this.#all) return Float32Array.from(this.#sum, (sum) => sum / count);
    const { width } = this.place;
    const joined = new Float32Array(count * width);
    for (const [at, one] of this.#all.entries()) joined.set(one, at * width);
    return joined;
  }
}

/** Mean activations over the tokens of an item that count. */
class FeatureMeans {
  /** Which of the event's activations are its own. */
  readonly encoding: number;
  truncated = 0;
  readonly #sinkNorm: number;
  readonly #sums = new Map<number, number>();
  #count = 0;

  constructor(encoding: number, sinkNorm: number) {
    this.encoding = encoding;
    this.#sinkNorm = sinkNorm;
  }

  add(part: SparseActivations, from: number, to: number): void {
    const { offsets, indices, values, active, norms } = part;
    for (let t = from; t < to; t++) {
      if (norms[t] > this.#sinkNorm) continue;
      this.#count++;
      if (active[t] > offsets[t + 1] - offsets[t]) this.truncated++;
      for (let i = offsets[t]; i < offsets[t + 1]; i++) {
        this.#sums.set(indices[i], (this.#sums.get(indices[i]) ?? 0) + values[i]);
      }
    }
  }

  row(): SparseRow {
    const count = Math.max(1, this.#count);
    return {
      columns: Uint32Array.from(this.#sums.keys()),
      values: Float32Array.from(this.#sums.values(), (sum) => sum / count),
    };
  }
}

function firstOf(sources: readonly ReadSource[], key: string): number {
  return sources.findIndex(({ encoder }) => encoder.key === key);
}

function lengthOf(values: Float32Array): number {
  let square = 0;
  for (let i = 0; i < values.length; i++) square += values[i] * values[i];
  return Math.sqrt(square);
}
