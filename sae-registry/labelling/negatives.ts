import type { Passage } from './passage.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Passages of other features, on which this one is taken to be silent. */
export interface Negatives {
  /** Of features drawn at random. */
  readonly random: readonly Passage[];
  /** Of features that fire on some of the same tokens. */
  readonly hard: readonly Passage[];
}

/** Where they are drawn from. */
export interface NegativePool {
  /** Features that have passages. */
  readonly features: readonly number[];
  /** Features that share tokens with this one, those that share most first. */
  neighbours(feature: number): readonly number[];
  passages(feature: number): readonly Passage[];
}

/** Two passages with this many tokens in a row in common are of one place in the text. */
const sharedRun = 8;
/** Hard ones are drawn from this many nearest neighbours. */
const neighboursDrawn = 20;

/**
 * `count` passages of other features, half of them (rounded down) of neighbours, where there are so many; each feature gives one. A
 * passage that is, or overlaps, one of the feature's own is never taken.
 */
export function drawNegatives(
  feature: number,
  own: readonly Passage[],
  pool: NegativePool,
  count: number,
  random: SeededRandom,
): Negatives {
  const taken = new Set(own.flatMap(runs));
  const used = new Set([feature]);
  const draw = (features: readonly number[], most: number) => {
    const drawn: Passage[] = [];
    for (const other of features) {
      if (drawn.length === most) break;
      if (used.has(other)) continue;
      const free = pool.passages(other).filter((passage) => !runs(passage).some((run) => taken.has(run)));
      const passage = free[random.below(free.length)];
      if (passage === undefined) continue;
      used.add(other);
      // nor is any passage there twice
      for (const run of runs(passage)) taken.add(run);
      drawn.push(passage);
    }
    return drawn;
  };
  const near = random.shuffled(pool.neighbours(feature).slice(0, neighboursDrawn));
  const hard = draw(near, Math.floor(count / 2));
  return { hard, random: draw(atRandom(pool.features, random, count * 4), count - hard.length) };
}

/** Some of a long list, in random order, without ordering all of it. */
function atRandom(features: readonly number[], random: SeededRandom, most: number): readonly number[] {
  if (features.length <= most * 4) return random.shuffled(features);
  const drawn = new Set<number>();
  while (drawn.size < most) drawn.add(features[random.below(features.length)] as number);
  return [...drawn];
}

/** Every run of tokens that marks the place of a passage; a short one is one run. */
function runs({ tokens }: Passage): string[] {
  if (tokens.length <= sharedRun) return [tokens.join('').trim()];
  return Array.from({ length: tokens.length - sharedRun + 1 }, (_, start) =>
    tokens
      .slice(start, start + sharedRun)
      .join('')
      .trim(),
  );
}
