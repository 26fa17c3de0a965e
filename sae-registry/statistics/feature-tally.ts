import { deserialize, serialize } from 'node:v8';
import type { SparseActivations } from '../../engine/core/index.ts';
import { closestInSample, type FeatureCofirings } from '../cofiring/closest-in-sample.ts';
import { FiringSample, type FiringState } from '../cofiring/firing-sample.ts';
import { countedTokens } from '../rank-activations.ts';
import type { FeatureFigures } from '../store/statistics.ts';
import { TokenCounts } from './token-counts.ts';
import { percentileFromTop, TopValues } from './top-values.ts';
import { ValueBins } from './value-bins.ts';

/** Bins of a histogram from 0 to the greatest activation. */
const histogramBins = 20;
/** Greatest activations that are held: the 99.9th percentile is exact up to a thousand times as many active tokens. */
const heldValues = 1024;
/** Of each feature: passages, the tokens before and after their peak, and tokens that it fires on most. */
const passages = 4;
const [before, after] = [16, 8];
const namedTokens = 10;
/** Of each feature, the others that fire together with it most. */
const keptCofirings = 32;

/** A passage in token ids. */
export interface Passage {
  readonly peak: number;
  readonly tokenIds: Int32Array;
  /** On each token; 0 where it is silent or the token does not count. */
  readonly values: Float32Array;
}

interface Figures {
  count: number;
  sum: number;
  max: number;
  readonly top: TopValues;
  readonly bins: ValueBins;
  readonly tokens: TokenCounts;
  passages: Passage[];
}

/** One feature in a state. */
interface SavedFigures extends Pick<Figures, 'count' | 'sum' | 'max' | 'passages'> {
  readonly top: Float32Array;
  readonly bins: ValueBins['state'];
  readonly tokens: readonly (readonly [number, number])[];
}

/** Raised when what is saved changes. */
const stateVersion = 2;

interface State {
  readonly version: number;
  readonly tokens: number;
  readonly truncated: number;
  readonly features: ReadonlyMap<number, SavedFigures>;
  readonly firings: FiringState;
}

/**
 * What the features of a dictionary do on a stream of texts, in memory that does not grow with the text. First tokens and attention
 * sinks do not count (`countedTokens`).
 */
export class FeatureTally {
  readonly #sinkNorm: number | null;
  readonly #features = new Map<number, Figures>();
  readonly #firings = new FiringSample();
  #tokens = 0;
  #truncated = 0;

  constructor(sinkNorm: number | null) {
    this.#sinkNorm = sinkNorm;
  }

  /** Tokens that counted so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Of those, how many had more active features than were told: their weakest are missing in the figures. */
  get truncated(): number {
    return this.#truncated;
  }

  add(tokenIds: Int32Array, activations: SparseActivations): void {
    const { tokens, offsets, indices, values, active } = activations;
    const counted = countedTokens(activations, this.#sinkNorm);
    const here = new Map<number, [number, number][]>();
    for (let t = 0; t < tokens; t++) {
      if (!counted[t]) continue;
      this.#tokens++;
      const [from, to] = [offsets[t] as number, offsets[t + 1] as number];
      if ((active[t] as number) > to - from) this.#truncated++;
      this.#firings.add(indices.subarray(from, to));
      for (let at = from; at < to; at++) {
        const feature = indices[at] as number;
        const value = values[at] as number;
        this.#note(feature, value, tokenIds[t] as number);
        const known = here.get(feature);
        if (known) known.push([t, value]);
        else here.set(feature, [[t, value]]);
      }
    }
    for (const [feature, own] of here) this.#keepPassage(this.#of(feature), own, tokenIds);
  }

  /** Of all features, those that were silent too. */
  *figures(features: number, tokenText: (id: number) => string): Generator<FeatureFigures> {
    for (let feature = 0; feature < features; feature++) {
      const own = this.#features.get(feature);
      if (!own) {
        yield {
          feature,
          density: 0,
          max: 0,
          p999: 0,
          mean: 0,
          histogram: new Array<number>(histogramBins).fill(0),
          topTokens: [],
        };
        continue;
      }
      const { count, sum, max, top, bins, tokens } = own;
      yield {
        feature,
        density: count / this.#tokens,
        max,
        p999: percentileFromTop(top.values(), count, 99.9),
        mean: sum / count,
        histogram: bins.histogram(max, histogramBins),
        topTokens: tokens.top(namedTokens).map(tokenText),
      };
    }
  }

  /** The strongest passages of each feature that fired, strongest first. */
  *passages(): Generator<readonly [feature: number, passages: readonly Passage[]]> {
    for (const [feature, own] of this.#features) yield [feature, own.passages];
  }

  /** Which of `features` features fire together, and over how many tokens that was counted. */
  cofirings(features: number): { readonly tokens: number; readonly features: Iterable<FeatureCofirings> } {
    const { tokens } = this.#firings;
    return { tokens: tokens.length, features: closestInSample(tokens, features, keptCofirings) };
  }

  /** Everything, for `restore`. */
  save(): Uint8Array {
    const saved = new Map<number, SavedFigures>();
    for (const [feature, { top, bins, tokens, ...plain }] of this.#features) {
      saved.set(feature, { ...plain, top: top.values(), bins: bins.state, tokens: tokens.entries() });
    }
    const state: State = {
      version: stateVersion,
      tokens: this.#tokens,
      truncated: this.#truncated,
      features: saved,
      firings: this.#firings.save(),
    };
    return serialize(state);
  }

  /** Goes on from a state; false where it is another version's, and the work has to begin anew. */
  restore(bytes: Uint8Array): boolean {
    const state = deserialize(bytes) as State;
    if (state.version !== stateVersion) return false;
    this.#tokens = state.tokens;
    this.#truncated = state.truncated;
    this.#firings.restore(state.firings);
    for (const [feature, { top, bins, tokens, ...plain }] of state.features) {
      this.#features.set(feature, {
        ...plain,
        top: new TopValues(heldValues, top),
        bins: new ValueBins(bins.top, bins.counts),
        tokens: new TokenCounts(tokens),
      });
    }
    return true;
  }

  #note(feature: number, value: number, token: number): void {
    const own = this.#of(feature);
    own.count++;
    own.sum += value;
    own.max = Math.max(own.max, value);
    own.top.add(value);
    own.bins.add(value);
    own.tokens.add(token);
  }

  #of(feature: number): Figures {
    const known = this.#features.get(feature);
    if (known) return known;
    const top = new TopValues(heldValues);
    const made = { count: 0, sum: 0, max: 0, top, bins: new ValueBins(), tokens: new TokenCounts(), passages: [] };
    this.#features.set(feature, made);
    return made;
  }

  /** One passage of a text at most, around its peak. */
  #keepPassage(own: Figures, active: readonly [number, number][], tokenIds: Int32Array): void {
    const [place, peak] = active.reduce((best, each) => (each[1] > best[1] ? each : best));
    if (own.passages.length >= passages && peak <= (own.passages.at(-1)?.peak ?? 0)) return;
    const from = Math.max(0, place - before);
    const to = Math.min(tokenIds.length, place + after + 1);
    const values = new Float32Array(to - from);
    for (const [t, value] of active) if (t >= from && t < to) values[t - from] = value;
    const passage = { peak, tokenIds: tokenIds.slice(from, to), values };
    own.passages = [...own.passages, passage].sort((a, b) => b.peak - a.peak).slice(0, passages);
  }
}
