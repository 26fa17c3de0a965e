/** Firings that are held: 16 MiB of feature numbers, a hundred thousand tokens of forty features. */
const heldFirings = 2 ** 22;

/** What a sample is made of again. */
export interface FiringState {
  readonly seen: number;
  readonly share: number;
  readonly places: Float64Array;
  readonly counts: Uint32Array;
  readonly features: Uint32Array;
}

/**
 * Which features fired on each token, in bounded memory: all tokens while there is room, then a sample of them, each as likely as any
 * other. A token is in where a hash of its place lies below a limit, which is halved whenever memory is full; so the same tokens in
 * the same order give the same sample, cut off in between or not.
 */
export class FiringSample {
  readonly #most: number;
  #tokens: { readonly place: number; readonly features: Uint32Array }[] = [];
  #seen = 0;
  #held = 0;
  /** Of all tokens, 1 / 2^n. */
  #share = 1;

  constructor(most = heldFirings) {
    this.#most = most;
  }

  /** Tokens in the sample, each with the features that fired, ascending. */
  get tokens(): readonly Uint32Array[] {
    return this.#tokens.map(({ features }) => features);
  }

  /** The share of all tokens that is in it. */
  get share(): number {
    return this.#share;
  }

  /** The next token and what fired on it, ascending; copied where it is kept. */
  add(features: Uint32Array): void {
    const place = this.#seen++;
    if (!this.#isIn(place)) return;
    this.#tokens.push({ place, features: features.slice() });
    this.#held += features.length;
    while (this.#held > this.#most && this.#tokens.length > 1) {
      this.#share /= 2;
      this.#tokens = this.#tokens.filter((token) => this.#isIn(token.place));
      this.#held = this.#tokens.reduce((sum, token) => sum + token.features.length, 0);
    }
  }

  /** Everything, for `restore`. */
  save(): FiringState {
    const features = new Uint32Array(this.#held);
    let at = 0;
    for (const token of this.#tokens) {
      features.set(token.features, at);
      at += token.features.length;
    }
    return {
      seen: this.#seen,
      share: this.#share,
      places: Float64Array.from(this.#tokens, ({ place }) => place),
      counts: Uint32Array.from(this.#tokens, (token) => token.features.length),
      features,
    };
  }

  restore({ seen, share, places, counts, features }: FiringState): void {
    this.#seen = seen;
    this.#share = share;
    this.#held = features.length;
    let at = 0;
    this.#tokens = Array.from(places, (place, i) => {
      const from = at;
      at += counts[i] ?? 0;
      return { place, features: features.slice(from, at) };
    });
  }

  #isIn(place: number): boolean {
    return this.#share === 1 || mixed(place) < this.#share * 2 ** 32;
  }
}

/** 32 well-mixed bits of a number (the end of MurmurHash3). */
function mixed(place: number): number {
  let bits = (place ^ Math.floor(place / 2 ** 32)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
