import type { Positions } from '../core/edit.ts';
import { type Compiling, sameTarget } from './conflicts.ts';
import { refuseRule } from './rule-refusals.ts';

/** Whether positions name any token of a reply, the last prompt token aside. */
export function namesReply(positions: Positions): boolean {
  return positions !== 'prompt' && positions !== 'last' && typeof positions === 'string';
}

/** Refuses edits of a rule whose positions name no token where a condition can hold. */
export function refuseIdle(entries: readonly Pick<Compiling, 'specification'>[]): void {
  for (const { specification } of entries) {
    const { positions, param } = specification;
    if (!namesReply(positions)) refuseRule('promptUnderRule', `${param}.positions`);
  }
}

/**
 * Refuses what several rules, or a rule and what always holds, would do to one token at once and what cannot be added up: the same
 * target other than by `add`, and the ablation of different vectors. Whether their conditions can both hold is not looked into.
 *
 * @param groups what always holds, then each rule's edits; within a group `refuseConflicts` has decided
 */
export function refuseMeeting(groups: readonly (readonly Compiling[])[]): void {
  const inReply = groups.map((group) => group.filter(({ edit }) => namesReply(edit.positions)));
  inReply.forEach((group, at) => {
    const before = inReply.slice(0, at).flat();
    for (const second of group) {
      for (const first of before) {
        if (first.edit.hookPoint !== second.edit.hookPoint) continue;
        if (first.specification.mode === 'add' || second.specification.mode === 'add') continue;
        const ablated = [first, second].every(
          ({ specification: { mode, target } }) => mode === 'ablate' && target.kind === 'vector',
        );
        if (!ablated && !sameTarget(first.specification.target, second.specification.target)) continue;
        const names = { first: first.specification.param, second: second.specification.param };
        refuseRule('rulesMeet', names.second, names);
      }
    }
  });
}
