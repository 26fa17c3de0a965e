import { BestList } from '../relations/best-list.ts';
import { type Cofiring, firingCosine, leastTogether } from './firing-cosine.ts';

/** A feature that fired, with those that fired with it most often for how often they fire; best first. */
export interface FeatureCofirings {
  readonly feature: number;
  /** Tokens on which it fired. */
  readonly fired: number;
  readonly others: readonly Cofiring[];
}

/** For each feature that fired on some tokens, the `limit` others with the largest firing cosines. Exact over these tokens. */
export function* closestInSample(
  tokens: readonly Uint32Array[],
  features: number,
  limit: number,
): Generator<FeatureCofirings> {
  const { fired, tokensOf } = byFeature(tokens, features);
  const together = new Uint32Array(features);
  const met: number[] = [];
  for (let feature = 0; feature < features; feature++) {
    const own = fired[feature] as number;
    if (own === 0) continue;
    for (const token of tokensOf(feature)) {
      for (const other of tokens[token] as Uint32Array) {
        if (together[other] === 0) met.push(other);
        together[other] = (together[other] as number) + 1;
      }
    }
    const best = new BestList(limit);
    const often = met.filter((other) => other !== feature && (together[other] as number) >= leastTogether);
    for (const other of often.sort((a, b) => a - b)) {
      best.offer(other, firingCosine(together[other] as number, own, fired[other] as number));
    }
    const others = best.items.map(({ index }) => ({
      index,
      together: together[index] as number,
      fired: fired[index] as number,
    }));
    for (const other of met) together[other] = 0;
    met.length = 0;
    yield { feature, fired: own, others };
  }
}

/** How often each feature fired, and on which tokens. */
function byFeature(tokens: readonly Uint32Array[], features: number) {
  const fired = new Uint32Array(features);
  for (const token of tokens) for (const feature of token) fired[feature] = (fired[feature] as number) + 1;
  const ends = new Uint32Array(features);
  let total = 0;
  for (let feature = 0; feature < features; feature++) {
    ends[feature] = total;
    total += fired[feature] as number;
  }
  const places = new Uint32Array(total);
  for (const [at, token] of tokens.entries()) {
    for (const feature of token) {
      places[ends[feature] as number] = at;
      ends[feature] = (ends[feature] as number) + 1;
    }
  }
  const tokensOf = (feature: number) => {
    const end = ends[feature] as number;
    return places.subarray(end - (fired[feature] as number), end);
  };
  return { fired, tokensOf };
}
