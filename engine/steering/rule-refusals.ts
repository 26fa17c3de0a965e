import { TillerError } from '../core/errors.ts';
import type { Facts, Refusal } from './refusals.ts';

/** Every reason for which a rule is refused, as `refusals` has them for edits. */
export const ruleRefusals = {
  promptUnderRule: {
    code: 'edit_not_applicable',
    message: () =>
      'A rule edits tokens of the reply only: no condition holds at a token of the prompt. Leave the positions out, or put the edit under steering.edits.',
  },
  rulesMeet: {
    code: 'edits_conflict',
    message: ({ first, second }) =>
      `${first} and ${second} may hold at one token, where only edits of mode add can be summed: they act on the same target, or ablate vectors at one hook point. Put them under one rule, or use mode add.`,
  },
  readsWholeDictionary: {
    code: 'edit_not_applicable',
    message: ({ target }) =>
      `The activation of ${target} depends on its whole dictionary (TopK), so a condition cannot read it alone. Compare a feature of another source, or a vector.`,
  },
  unitOfCondition: {
    code: 'edit_not_applicable',
    message: ({ unit, what, units }) => `Unit ${unit} has no meaning for ${what}. Use one of ${units}.`,
  },
  notAProbability: {
    code: 'edit_not_applicable',
    message: ({ value }) =>
      `${value} is no probability to compare with. Give a number between 0 and 1, without either.`,
  },
} as const satisfies Record<string, Refusal>;

export type RuleRefusalName = keyof typeof ruleRefusals;

/** Throws the refusal `name`. `param` is the field at fault. */
export function refuseRule(name: RuleRefusalName, param: string, facts: Facts = {}): never {
  const refusal: Refusal = ruleRefusals[name];
  throw new TillerError(refusal.code, refusal.message(facts), { param });
}
