import type { Prefix, Ranking } from './ranking.ts';

/** Buckets by (l₀ − l)/T, so many a nat; the last one takes all that lies further off, which weighs next to nothing. */
const perNat = 32;
const bucketCount = 1024;
const last = bucketCount - 1;
/** Of tokens at −∞, which are in no bucket. */
const none = 0xffff;

/** How far a bucket's sum and that of its tokens one by one may be apart, as a fraction. */
const sumTolerance = 1e-11;

// One row is ranked at a time and nothing waits in between, so one set of buckets serves all of them.
let bucketOf = new Uint16Array(0);
const counts = new Uint32Array(bucketCount);
const masses = new Float64Array(bucketCount);

/**
 * A whole row of logits, sorted only where something is decided: one pass weighs the tokens into buckets, then whole buckets
 * are counted instead of tokens, and only a bucket in which a prefix ends is put in order. Tokens at −∞ are left out; they
 * cannot be chosen. Valid until the next one is made.
 */
export class BucketRanking implements Ranking {
  /** Sum of all weights. */
  readonly total: number;
  readonly #logits: Float32Array;
  readonly #largest: number;
  readonly #temperature: number;
  readonly #ordered = new Map<number, readonly number[]>();

  /** @param largest the largest of the logits, finite */
  constructor(logits: Float32Array, largest: number, temperature: number) {
    this.#logits = logits;
    this.#largest = largest;
    this.#temperature = temperature;
    weigh(logits, largest, temperature);
    this.total = masses.reduce((sum, mass) => sum + mass, 0);
  }

  tokenId(rank: number): number {
    let before = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const count = counts[bucket] as number;
      if (rank < before + count) return this.#order(bucket)[rank - before] ?? -1;
      before += count;
    }
    return -1;
  }

  heaviest(least: number, limit: number): Prefix {
    let count = 0;
    let mass = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const size = counts[bucket] as number;
      // two buckets on: whatever rounding does, all of this one weighs more than that
      const sure = bucket < last - 1 && (weights[bucket + 2] as number) >= least;
      if (sure && count + size <= limit) {
        count += size;
        mass += masses[bucket] as number;
        continue;
      }
      for (const id of this.#order(bucket)) {
        const weight = this.#weight(id);
        if (count === limit || weight < least) return { count, mass };
        count++;
        mass += weight;
      }
    }
    return { count, mass };
  }

  reaching(target: number, limit: number, beyond: boolean): Prefix {
    const surelyShort = target * (1 - sumTolerance);
    let count = 0;
    let mass = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const size = counts[bucket] as number;
      const weight = masses[bucket] as number;
      if (mass + weight < surelyShort && count + size <= limit) {
        count += size;
        mass += weight;
        continue;
      }
      for (const id of this.#order(bucket)) {
        if (count === limit) return { count, mass };
        count++;
        mass += this.#weight(id);
        if (beyond ? mass > target : mass >= target) return { count, mass };
      }
    }
    return { count, mass };
  }

  #weight(id: number): number {
    return Math.exp(((this.#logits[id] as number) - this.#largest) / this.#temperature);
  }

  /** The bucket's tokens in their order. */
  #order(bucket: number): readonly number[] {
    const known = this.#ordered.get(bucket);
    if (known) return known;
    const logits = this.#logits;
    const ids: number[] = [];
    if ((counts[bucket] as number) > 0)
      for (let id = 0; id < logits.length; id++) if (bucketOf[id] === bucket) ids.push(id);
    ids.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
    this.#ordered.set(bucket, ids);
    return ids;
  }
}

/** Weight at the near end of each bucket. */
const weights = Float64Array.from({ length: bucketCount }, (_, bucket) => Math.exp(-bucket / perNat));

/**
 * Puts every token into its bucket. Within a bucket exp is its Taylor series from the near end, five terms: at most 1/perNat
 * nats away that is right to 2e-12, and takes half of Math.exp's time.
 */
function weigh(logits: Float32Array, largest: number, temperature: number): void {
  if (bucketOf.length < logits.length) bucketOf = new Uint16Array(logits.length);
  counts.fill(0);
  masses.fill(0);
  // finite, so that the largest logit is at no distance from itself however low the temperature
  const scale = Math.min(perNat / temperature, Number.MAX_VALUE);
  for (let id = 0; id < logits.length; id++) {
    const distance = (largest - (logits[id] as number)) * scale;
    if (distance < last) {
      // a whole number for sure, and cheaper than Math.floor
      const bucket = distance | 0;
      const r = (bucket - distance) / perNat;
      const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120))));
      bucketOf[id] = bucket;
      (counts[bucket] as number)++;
      (masses[bucket] as number) += (weights[bucket] as number) * series;
    } else if (distance < Number.POSITIVE_INFINITY) {
      bucketOf[id] = last;
      (counts[last] as number)++;
      (masses[last] as number) += Math.exp(-distance / perNat);
    } else bucketOf[id] = none;
  }
}
