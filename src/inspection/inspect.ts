import type { Encoding, GenerateRequest, SparseActivations } from '../../engine/index.ts';
import { TillerError } from '../../engine/index.ts';
import type {
  InspectedText,
  InspectedTokens,
  Inspection,
  InspectionEvent,
  InspectionRequest,
  InspectionService,
  ModelService,
} from '../../routes/services.ts';
import {
  countedTokens,
  FeatureTotals,
  type Registry,
  rankTotals,
  type Source,
  strongestFeatures,
} from '../../sae-registry/index.ts';

/** What inspecting a model's stream needs of it. */
export interface InspectedModel {
  readonly submit: ModelService['submit'];
  readonly registry: Registry;
}

/** Sources that one request may read: the engine's own bound. */
const mostSources = 16;
/** Activations of a token that are looked at: tokens that count have tens. Where single features are asked for, all that the engine tells. */
const usualActivations = 1024;
const mostActivations = 4096;

/** A source with what is wanted of it. */
interface Wanted {
  readonly source: Source;
  readonly chosen: readonly number[] | null;
}

/** `InspectionService` over an engine and a registry. */
export function inspectionService({ submit, registry }: InspectedModel): InspectionService {
  return {
    inspection(request): Inspection {
      const wanted = request.features === null ? bySource(registry, request) : byFeature(registry, request.features);
      if (wanted.length > mostSources) {
        const message = `${wanted.length} sources are too many to read at once; ${mostSources} can be.`;
        throw new TillerError('invalid_request', message, { param: request.features ? 'features' : 'sources' });
      }
      const most = Math.min(
        mostActivations,
        Math.max(usualActivations, request.features ? mostActivations : request.perToken),
      );
      const encodings = wanted.map(({ source }): Encoding => ({ encoder: registry.encoder(source), limit: most }));
      return {
        sources: wanted.map(({ source, chosen }, k) => ({
          id: source.id,
          hookPoint: encodings[k]?.encoder.hookPoint ?? source.hookPoint,
          features: source.dictionary.features,
          chosen,
          perToken: Math.min(request.perToken, chosen?.length ?? source.dictionary.features),
          perText: chosen?.length ?? Math.min(request.perText, source.dictionary.features),
        })),
        run: (generate) => run({ submit, registry }, request, wanted, { ...generate, encodings }),
      };
    },
  };
}

function bySource(registry: Registry, { sources }: InspectionRequest): Wanted[] {
  const named = registry.sourcesNamed(sources, 'sources');
  if (named.length === 0) {
    throw new TillerError('source_not_found', 'No source is loaded for this model: there is nothing to inspect.', {
      param: 'sources',
    });
  }
  const twice = named.find((source, at) => named.indexOf(source) !== at);
  if (twice) throw new TillerError('invalid_request', `'${twice.id}' is named twice.`, { param: 'sources' });
  return named.map((source) => ({ source, chosen: null }));
}

/** The features by their sources, in the order in which they were named. */
function byFeature(registry: Registry, ids: readonly string[]): Wanted[] {
  const found = new Map<Source, Set<number>>();
  for (const [at, id] of ids.entries()) {
    const source = registry.sourceOf(id, `features[${at}]`);
    const chosen = found.get(source) ?? new Set();
    found.set(source, chosen.add(Number(id.slice(id.lastIndexOf('/') + 1))));
  }
  return Array.from(found, ([source, chosen]) => ({ source, chosen: [...chosen] }));
}

async function* run(
  { submit, registry }: InspectedModel,
  request: InspectionRequest,
  wanted: readonly Wanted[],
  generate: GenerateRequest,
): AsyncGenerator<InspectionEvent> {
  const promptLength = generate.promptTokenIds.length;
  const readers = wanted.map((each) => new SourceReader(each, request, promptLength));
  for await (const event of submit(generate)) {
    if (event.type !== 'activations') yield event;
    else {
      const { start, activations } = event;
      const sources = readers.map((reader, k) => reader.read(activations[k] as SparseActivations, start));
      // a step's tokens are of one part, but for a row that was preempted and reads both again
      const skipped = request.part === 'generated' ? Math.max(0, promptLength - start) : 0;
      const kept = sources.flatMap((source) => (source === null ? [] : [source]));
      if (kept.length > 0) yield { type: 'features', start: start + skipped, sources: kept };
    }
  }
  yield { type: 'summary', sources: readers.map((reader) => reader.summary(registry)) };
}

/** What one source says, while a request runs. */
class SourceReader {
  readonly #wanted: Wanted;
  readonly #request: InspectionRequest;
  readonly #promptLength: number;
  readonly #chosen: ReadonlySet<number> | null;
  readonly #totals = new FeatureTotals();
  readonly #ignored: number[] = [];
  readonly #truncated: number[] = [];

  constructor(wanted: Wanted, request: InspectionRequest, promptLength: number) {
    this.#wanted = wanted;
    this.#request = request;
    this.#promptLength = promptLength;
    this.#chosen = wanted.chosen && new Set(wanted.chosen);
  }

  /** Takes a step's tokens in; what it says of those that are inspected, null where none is. */
  read(whole: SparseActivations, start: number): InspectedTokens | null {
    const { part, includeSinks, perToken } = this.#request;
    const inside = Math.max(0, Math.min(whole.tokens, this.#promptLength - start));
    const [from, to] =
      part === 'prompt' ? [0, inside] : part === 'generated' ? [inside, whole.tokens] : [0, whole.tokens];
    if (from >= to) return null;
    const activations = tokensOf(whole, from, to);
    const first = start + from;
    const sinkNorm = this.#wanted.source.card?.sink_norm ?? null;
    const counted = includeSinks
      ? Array.from(activations.norms, () => true)
      : countedTokens(activations, sinkNorm, first);
    this.#totals.add(activations, counted, first);
    for (const [t, counts] of counted.entries()) {
      if (!counts) this.#ignored.push(first + t);
      else if ((activations.active[t] as number) > told(activations, t)) this.#truncated.push(first + t);
    }
    return { counted, ...strongestFeatures(activations, counted, perToken, this.#chosen) };
  }

  summary(registry: Registry): InspectedText {
    const { source, chosen } = this.#wanted;
    const { rankBy, perText } = this.#request;
    const found = chosen ? chosen.map((index) => this.#totals.of(index)) : this.#totals.all();
    const ranked = rankTotals(found, rankBy, chosen ? chosen.length : perText);
    return {
      ignored: this.#ignored,
      truncated: this.#truncated,
      tokens: this.#totals.tokens,
      features: ranked.map((total) => ({ ...registry.summary(source, total.index), ...total })),
    };
  }
}

function told({ offsets }: SparseActivations, t: number): number {
  return (offsets[t + 1] as number) - (offsets[t] as number);
}

/** Tokens `from` … `to` − 1; offsets stay those of the whole. */
function tokensOf(whole: SparseActivations, from: number, to: number): SparseActivations {
  return {
    ...whole,
    tokens: to - from,
    offsets: whole.offsets.subarray(from, to + 1),
    active: whole.active.subarray(from, to),
    norms: whole.norms.subarray(from, to),
  };
}
