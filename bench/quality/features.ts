import { percentile } from '../statistics.ts';

/** Features as one precision sees them beside f32, over all positions counted. */
export interface FeatureSummary {
  /** Mean number of features that fire at a position, in f32. */
  readonly firingInReference: number;
  /** The same in this precision. */
  readonly firing: number;
  /** Of the features that fire here, the share that fire in f32: 1 − it is what appears from nowhere. */
  readonly precision: number;
  /** Of the features that fire in f32, the share that fire here: 1 − it is what is missed. */
  readonly recall: number;
  /** Features that fire in both, over those that fire in either. */
  readonly jaccard: number;
  /** The same weighted by activation: Σ min / Σ max. What flips is mostly weak, so it lies higher. */
  readonly weightedJaccard: number;
  /** |activation here − in f32| / in f32, over those that fire in both. */
  readonly relativeError: { readonly median: number; readonly p99: number };
}

/** Which features fire, and how strongly, in two runs over the same tokens. */
export class FeatureComparison {
  private positions = 0;
  private inReference = 0;
  private inOther = 0;
  private inBoth = 0;
  private smaller = 0;
  private larger = 0;
  private readonly relativeErrors: number[] = [];

  /** Activations of every feature at one position. */
  add(reference: Float32Array, other: Float32Array): void {
    this.positions++;
    for (let i = 0; i < reference.length; i++) {
      const expected = reference[i];
      const value = other[i];
      if (expected === 0 && value === 0) continue;
      if (expected > 0) this.inReference++;
      if (value > 0) this.inOther++;
      this.smaller += Math.min(expected, value);
      this.larger += Math.max(expected, value);
      if (expected > 0 && value > 0) {
        this.inBoth++;
        this.relativeErrors.push(Math.abs(value - expected) / expected);
      }
    }
  }

  /** Throws where no feature fires in both runs: nothing could be said of the activations. */
  summary(): FeatureSummary {
    const { positions, inReference, inOther, inBoth } = this;
    if (inBoth === 0) throw new Error('no feature fires in both runs');
    return {
      firingInReference: inReference / positions,
      firing: inOther / positions,
      precision: inBoth / inOther,
      recall: inBoth / inReference,
      jaccard: inBoth / (inReference + inOther - inBoth),
      weightedJaccard: this.smaller / this.larger,
      relativeError: { median: percentile(this.relativeErrors, 50), p99: percentile(this.relativeErrors, 99) },
    };
  }
}

/** The residual stream of one precision beside that of f32. */
export interface StreamSummary {
  readonly cosine: { readonly median: number; readonly least: number };
  /** ‖x − x of f32‖ / ‖x of f32‖ */
  readonly relativeError: { readonly median: number; readonly p99: number };
}

/** How far two streams lie apart, position by position. */
export class StreamComparison {
  private readonly cosines: number[] = [];
  private readonly relativeErrors: number[] = [];

  /** The stream at one position; zero vectors cannot be compared. */
  add(reference: Float32Array, other: Float32Array): void {
    let product = 0;
    let difference = 0;
    let otherSquare = 0;
    let square = 0;
    for (let i = 0; i < reference.length; i++) {
      const x = reference[i];
      const y = other[i];
      product += x * y;
      difference += (y - x) ** 2;
      otherSquare += y * y;
      square += x * x;
    }
    if (!(square > 0 && otherSquare > 0)) throw new Error('a stream is zero or not a number');
    this.cosines.push(product / Math.sqrt(square * otherSquare));
    this.relativeErrors.push(Math.sqrt(difference / square));
  }

  summary(): StreamSummary {
    return {
      cosine: { median: percentile(this.cosines, 50), least: percentile(this.cosines, 0) },
      relativeError: { median: percentile(this.relativeErrors, 50), p99: percentile(this.relativeErrors, 99) },
    };
  }
}
