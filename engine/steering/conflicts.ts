import type { Edit } from '../core/edit.ts';
import type { EditSpecification, EditTarget } from '../core/steering.ts';
import { dot, norm, orthonormalise } from './linear-algebra.ts';
import { positionsOverlap, samePositions } from './positions.ts';
import { refuse } from './refusals.ts';

/** A specification beside the edit it became, its hook point canonical. */
export interface Compiling {
  readonly specification: EditSpecification;
  readonly edit: Edit;
}

/** |cos| beyond which two vectors at one hook point are one target. */
const parallel = 1 - 1e-6;

/**
 * Refuses what cannot be done exactly by adding writes up: two edits of one target, neither of them `add`, that may meet on a
 * token; and two ablated vectors at one hook point that may meet without having the same positions. One target is the same
 * feature, or vectors at one hook point that are parallel (of either sign). Several ablated vectors with the same positions
 * are no conflict: see `spanAblations`.
 *
 * @param promptLengths the shortest and the longest prompt: positions that meet in one between them meet in one of these,
 *   since every pair of position sets either parts or meets as a prompt grows, never both
 */
export function refuseConflicts(entries: readonly Compiling[], promptLengths: readonly (number | null)[]): void {
  entries.forEach((second, index) => {
    for (const first of entries.slice(0, index)) {
      if (first.edit.hookPoint !== second.edit.hookPoint) continue;
      const meet = (length: number | null) => positionsOverlap(first.edit.positions, second.edit.positions, length);
      if (!promptLengths.some(meet)) continue;
      const names = { first: first.specification.param, second: second.specification.param };
      if (ablatesVector(first) && ablatesVector(second)) {
        if (!sameTokens(first.edit, second.edit)) refuse('ablationsOverlap', names.second, names);
      } else if (
        first.specification.mode !== 'add' &&
        second.specification.mode !== 'add' &&
        sameTarget(first.specification.target, second.specification.target)
      ) {
        refuse('sameTarget', names.second, names);
      }
    }
  });
}

/**
 * Ablating several vectors at one hook point and the same positions projects out their span: their unit vectors are replaced
 * by orthonormal ones (Gram–Schmidt, in the order of the request), and one that lies in the span of those before it by zeros,
 * so that it still reports but has nothing left to take away.
 */
export function spanAblations(entries: readonly Compiling[]): Edit[] {
  const edits = entries.map(({ edit }) => edit);
  const done = new Set<number>();
  entries.forEach((entry, index) => {
    if (!ablatesVector(entry) || done.has(index)) return;
    const group = entries.flatMap((other, at) =>
      at >= index &&
      ablatesVector(other) &&
      other.edit.hookPoint === entry.edit.hookPoint &&
      sameTokens(other.edit, entry.edit)
        ? [at]
        : [],
    );
    const basis = orthonormalise(group.map((at) => (edits[at] as Edit).write));
    group.forEach((at, k) => {
      done.add(at);
      const direction = basis[k] as Float32Array;
      const edit = edits[at] as Edit;
      edits[at] = { ...edit, read: edit.read && { ...edit.read, direction }, write: direction };
    });
  });
  return edits;
}

function ablatesVector({ specification }: Compiling): boolean {
  return specification.mode === 'ablate' && specification.target.kind === 'vector';
}

function sameTokens(a: Edit, b: Edit): boolean {
  return samePositions(a.positions, b.positions) && a.skipSpecial === b.skipSpecial;
}

/** Whether two targets at one hook point are one: the same feature, or parallel vectors. */
export function sameTarget(a: EditTarget, b: EditTarget): boolean {
  if (a.kind === 'feature' || b.kind === 'feature') return a.kind === b.kind && a.id === b.id;
  return Math.abs(dot(a.direction, b.direction)) > parallel * norm(a.direction) * norm(b.direction);
}
