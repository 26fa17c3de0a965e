/** Cumulative counts of a Prometheus histogram without labels, by upper bound. */
export type Buckets = ReadonlyMap<number, number>;

/** Reads a histogram from a page of metrics. Throws where it is not there. */
export function readHistogram(page: string, name: string): Buckets {
  const lines = page.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, 'gm'));
  const buckets = new Map(
    [...lines].map(([, bound, count]) => [bound === '+Inf' ? Infinity : Number(bound), Number(count)]),
  );
  if (buckets.size === 0) throw new Error(`there is no histogram ${name} among the metrics`);
  return buckets;
}

/** What was observed between two readings. */
export function between(before: Buckets, after: Buckets): Buckets {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}

/**
 * The value below which `share` of the observations lie, in proportion within its bucket, as Prometheus' `histogram_quantile` does it; the
 * largest finite bound for what lies beyond. Throws where nothing was observed.
 */
export function quantile(buckets: Buckets, share: number): number {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) throw new Error('nothing was observed');
  const wanted = share * total;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of sorted) {
    if (count >= wanted)
      return bound === Infinity ? lower : lower + ((bound - lower) * (wanted - below)) / (count - below);
    [lower, below] = [bound, count];
  }
  return lower;
}
