import {
  concatenateActivations,
  type Encoding,
  type GenerateRequest,
  greedyRequest,
  type Replacement,
  resolveHookPoint,
  type SparseActivations,
  TillerError,
} from '../../engine/index.ts';
import type { DictionaryHealth } from '../../routes/services.ts';
import { countedTokens, ReconstructionTally, reconstruct, type Source } from '../../sae-registry/index.ts';
import type { ReadyModel } from '../services.ts';

/** What evaluating needs of a loaded model. */
export type EvaluatedModel = Pick<ReadyModel, 'engine' | 'registry' | 'model'>;

export interface EvaluationOptions {
  readonly signal?: AbortSignal | null;
  readonly onText?: (texts: number) => void;
}

let evaluations = 0;

/**
 * Runs texts three times each: as they are, with a source's reconstruction in place of the stream it describes, and with zeros there.
 * Throws `invalid_request` where no token counts, and what `Engine.submit` throws.
 */
export async function evaluateSource(
  ready: EvaluatedModel,
  source: Source,
  sequences: AsyncIterable<Int32Array> | Iterable<Int32Array>,
  { signal = null, onText }: EvaluationOptions = {},
): Promise<DictionaryHealth> {
  const { registry, model } = ready;
  const { dictionary } = source;
  const encoder = registry.encoder(source);
  const place = resolveHookPoint(source.hookPoint, model.config);
  const tally = new ReconstructionTally(dictionary.dOut, dictionary.features);
  const losses = { plain: 0, spliced: 0, zeroed: 0 };
  const id = `evaluation-${++evaluations}`;
  let [texts, predicted] = [0, 0];
  for await (const tokenIds of sequences) {
    const run = (how: Partial<GenerateRequest>) => readLoss(ready, { id: `${id}-${texts}`, tokenIds, signal, ...how });
    const encodings = [{ encoder, limit: Math.min(4096, dictionary.features) }] satisfies Encoding[];
    const plain = await run({ encodings, taps: [...new Set([encoder.hookPoint, place])] });
    const [activations] = plain.activations;
    const [stream, target] = [plain.taps.get(encoder.hookPoint), plain.taps.get(place)];
    if (!activations || !stream || !target) throw new TillerError('internal', 'a text was read in part');
    const counted = countedTokens(activations, source.card?.sink_norm ?? null);
    refuseTruncated(activations, counted, source);
    const made = reconstruct(dictionary, activations, stream);
    tally.add({ target, made }, activations, counted);
    const mask = Uint8Array.from(counted, Number);
    const replaced = (values: Float32Array) =>
      run({ replacements: [{ hookPoint: place, values, mask }] satisfies Replacement[] });
    const spliced = await replaced(made);
    const zeroed = await replaced(new Float32Array(made.length));
    for (let t = 0; t + 1 < tokenIds.length; t++) {
      if (!counted[t]) continue;
      predicted++;
      losses.plain -= plain.logprobs[t + 1] as number;
      losses.spliced -= spliced.logprobs[t + 1] as number;
      losses.zeroed -= zeroed.logprobs[t + 1] as number;
    }
    texts++;
    onText?.(texts);
  }
  if (predicted === 0) {
    const message = 'The texts have no token that counts and is followed by another. Give longer ones.';
    throw new TillerError('invalid_request', message, { param: 'texts' });
  }
  const loss = {
    plain: losses.plain / predicted,
    spliced: losses.spliced / predicted,
    zeroed: losses.zeroed / predicted,
  };
  return {
    source: source.id,
    texts,
    tokens: tally.tokens,
    explainedVariance: tally.explainedVariance,
    l0: tally.l0,
    features: dictionary.features,
    silentFeatures: tally.silent,
    loss,
    lossRecovered: (loss.zeroed - loss.spliced) / (loss.zeroed - loss.plain),
  };
}

/** A reconstruction of a part of what is active would be another dictionary's. */
function refuseTruncated({ offsets, active }: SparseActivations, counted: readonly boolean[], { id }: Source): void {
  const cut = counted.some(
    (counts, t) => counts && (active[t] as number) > (offsets[t + 1] as number) - (offsets[t] as number),
  );
  if (!cut) return;
  throw new TillerError(
    'unsupported',
    `${id} has more active features on a token than are read at once: it is too dense to evaluate.`,
  );
}

interface Loss {
  /** Of each token but the first. */
  readonly logprobs: readonly number[];
  readonly activations: readonly SparseActivations[];
  readonly taps: ReadonlyMap<string, Float32Array>;
}

async function readLoss(
  { engine }: EvaluatedModel,
  { tokenIds, ...request }: Partial<GenerateRequest> & { readonly id: string; readonly tokenIds: Int32Array },
): Promise<Loss> {
  const parts: {
    readonly activations: readonly SparseActivations[];
    readonly taps: ReadonlyMap<string, Float32Array>;
  }[] = [];
  let logprobs: number[] = [];
  for await (const event of engine.submit(greedyRequest(request.id, tokenIds, 0, { promptLogprobs: 0, ...request }))) {
    if (event.type === 'activations') parts.push(event);
    if (event.type === 'prompt') logprobs = (event.logprobs ?? []).map((each) => each?.logprob ?? 0);
  }
  const activations = (request.encodings ?? []).map((_, k) =>
    concatenateActivations(parts.map((part) => part.activations[k] as SparseActivations)),
  );
  const taps = new Map(
    (request.taps ?? []).map((name) => [name, joined(parts.map((part) => part.taps.get(name) ?? new Float32Array()))]),
  );
  return { logprobs, activations, taps };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
