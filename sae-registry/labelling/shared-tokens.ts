/** Tokens that more features than this fire on tell none of them from the others. */
const mostFeatures = 2000;

/** Which features fire on the same tokens. Case and spaces around a token do not count. */
export class SharedTokens {
  readonly #features = new Map<string, number[]>();
  readonly #tokens = new Map<number, string[]>();

  /** Each feature once. */
  add(feature: number, tokens: readonly string[]): void {
    const plain = [...new Set(tokens.map((token) => token.trim().toLowerCase()))].filter((token) => token !== '');
    this.#tokens.set(feature, plain);
    for (const token of plain) {
      const features = this.#features.get(token);
      if (features) features.push(feature);
      else this.#features.set(token, [feature]);
    }
  }

  /** The other features that fire on some of its tokens; a token counts the more the fewer features fire on it. */
  neighbours(feature: number): number[] {
    const weights = new Map<number, number>();
    for (const token of this.#tokens.get(feature) ?? []) {
      const features = this.#features.get(token) ?? [];
      if (features.length > mostFeatures) continue;
      for (const other of features) {
        if (other !== feature) weights.set(other, (weights.get(other) ?? 0) + 1 / features.length);
      }
    }
    return [...weights].sort(([a, weightA], [b, weightB]) => weightB - weightA || a - b).map(([other]) => other);
  }
}
