import { type Encoding, type RequestReplacement, type SparseActivations, TillerError } from '../../engine/index.ts';
import type { Intervention } from '../../routes/services.ts';
import { countedTokens, type Registry, reconstruct, type Source } from '../../sae-registry/index.ts';
import type { ReadRun } from './read-run.ts';

/** Runs token sequences, with what stands in for values so far or without. */
export type Runner = (
  tokenIds: Int32Array,
  what: { readonly taps: readonly string[]; readonly encodings?: readonly Encoding[] },
  replacements: readonly RequestReplacement[],
) => Promise<ReadRun>;

/** What an intervention comes to: values for the prompt's tokens, and which of them are left alone after all. */
export interface StandIn {
  /** [prompt tokens, width]; what the mask does not name is not looked at. */
  readonly values: Float32Array;
  readonly mask: Uint8Array;
  readonly generated: Float32Array | null;
  readonly sinkPositions: readonly number[];
}

/**
 * What stands in at an intervention's hook point. Given values, and those that are read of other runs, are of runs without interventions; a
 * splice is of the stream as the interventions before it have left it. `own` is the prompt's value there, [tokens, width].
 */
export async function standInOf(
  intervention: Exclude<Intervention, { kind: 'splice' }>,
  own: Float32Array,
  hookPoint: string,
  run: Runner,
): Promise<StandIn> {
  const { mask } = intervention;
  const width = own.length / mask.length;
  if (intervention.kind === 'values') {
    return { values: intervention.values, mask, generated: intervention.generated, sinkPositions: [] };
  }
  if (intervention.kind === 'run') {
    const { taps } = await run(intervention.tokenIds, { taps: [hookPoint] }, []);
    const theirs = tapped(taps, hookPoint);
    const values = new Float32Array(own.length);
    namedBy(mask).forEach((position, n) => {
      const from = intervention.positions[n] as number;
      values.set(theirs.subarray(from * width, (from + 1) * width), position * width);
    });
    return { values, mask, generated: null, sinkPositions: [] };
  }
  const means = new MeanOf(width);
  if (intervention.over === null) means.add(own);
  else {
    for (const tokenIds of intervention.over) {
      means.add(tapped((await run(tokenIds, { taps: [hookPoint] }, [])).taps, hookPoint));
    }
  }
  const mean = means.mean(intervention.param);
  const values = new Float32Array(own.length);
  for (const position of namedBy(mask)) values.set(mean, position * width);
  return { values, mask, generated: intervention.generated ? mean : null, sinkPositions: [] };
}

/** A source's reconstruction, and with the error term what it leaves out besides: then the values that were there, but for rounding. */
export function spliceOf(
  { mask, errorTerm, param }: Extract<Intervention, { kind: 'splice' }>,
  source: Source,
  read: { readonly activations: SparseActivations; readonly stream: Float32Array; readonly target: Float32Array },
): StandIn {
  const { activations, stream, target } = read;
  const counted = countedTokens(activations, source.card?.sink_norm ?? null);
  const spliced = Uint8Array.from(mask, (named, t) => Number(named === 1 && counted[t] === true));
  refuseTruncated(activations, spliced, source, param);
  const made = reconstruct(source.dictionary, activations, stream);
  if (errorTerm) for (let at = 0; at < made.length; at++) made[at] = addError(made[at] as number, target[at] as number);
  const sinkPositions = namedBy(mask).filter((position) => spliced[position] === 0);
  return { values: made, mask: spliced, generated: null, sinkPositions };
}

function addError(made: number, target: number): number {
  return made + Math.fround(target - made);
}

/** What the registry says of a source that is spliced. */
export function splicedSource(registry: Registry, { source: name, param }: Extract<Intervention, { kind: 'splice' }>) {
  const [source] = registry.sourcesNamed([name], `${param}.source`);
  if (!source) throw new TillerError('internal', 'a source that was named is not there');
  const encoder = registry.encoder(source);
  return { source, encoding: { encoder, limit: Math.min(4096, source.dictionary.features) } };
}

/** A reconstruction of a part of what is active would be another dictionary's. */
function refuseTruncated(
  { offsets, active }: SparseActivations,
  spliced: Uint8Array,
  { id }: Source,
  param: string,
): void {
  const cut = namedBy(spliced).find((t) => (active[t] as number) > (offsets[t + 1] as number) - (offsets[t] as number));
  if (cut === undefined) return;
  const message = `${id} has more active features at position ${cut} than are read at once: it is too dense to splice.`;
  throw new TillerError('unsupported', message, { param: `${param}.source` });
}

/** Positions that a mask names. */
export function namedBy(mask: Uint8Array): number[] {
  return [...mask.keys()].filter((position) => mask[position] === 1);
}

export function tapped(taps: ReadonlyMap<string, Float32Array>, hookPoint: string): Float32Array {
  const values = taps.get(hookPoint);
  if (!values) throw new TillerError('internal', `${hookPoint} was not read`);
  return values;
}

/** The mean over tokens, but for each sequence's first: an attention sink, whose stream is many times the others'. */
class MeanOf {
  readonly #sum: Float64Array;
  #tokens = 0;

  constructor(width: number) {
    this.#sum = new Float64Array(width);
  }

  add(values: Float32Array): void {
    const width = this.#sum.length;
    for (let at = width; at < values.length; at++) {
      this.#sum[at % width] = (this.#sum[at % width] as number) + (values[at] as number);
    }
    this.#tokens += values.length / width - 1;
  }

  mean(param: string): Float32Array {
    if (this.#tokens > 0) return Float32Array.from(this.#sum, (sum) => sum / this.#tokens);
    const message = 'There is no token to take a mean over: first tokens do not count. Give longer texts.';
    throw new TillerError('invalid_request', message, { param });
  }
}
