import { distance } from 'fastest-levenshtein';

/**
 * The `count` names nearest to `name` by edit distance, best first; of equally far ones those that contain it or are contained
 * in it come first. Wildly different ones are left out.
 */
export function nearest(name: string, names: Iterable<string>, count = 3): string[] {
  const wanted = name.toLowerCase();
  const apart = (candidate: string) => {
    const other = candidate.toLowerCase();
    return wanted.includes(other) || other.includes(wanted) ? 0 : 1;
  };
  return [...names]
    .map((candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase()), apart: apart(candidate) }))
    .filter(({ candidate, far }) => far <= Math.max(2, Math.ceil(Math.max(candidate.length, wanted.length) / 2)))
    .sort((a, b) => a.far - b.far || a.apart - b.apart || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}
