import type { Edit } from './core/edit.ts';
import type { GenerateRequest } from './core/request.ts';
import { probeEdit } from './steering/probe-edit.ts';

/** Everything that a request may ask of a graph at its hook points: its edits, those of its rules, and what conditions read. */
export interface RequestEdits {
  /** In this order: the request's own, each rule's, the probes. */
  readonly all: readonly Edit[];
  /** How many are the request's own. */
  readonly own: number;
  /** For each edit behind them, the rule that it is of; a probe is of none. */
  readonly ruleOf: readonly (number | null)[];
  /** Index of the first probe. */
  readonly firstProbe: number;
}

export function requestEdits({ edits, rules }: Pick<GenerateRequest, 'edits' | 'rules'>): RequestEdits {
  const conditional = rules?.rules.flatMap((rule, index) => rule.edits.map((edit) => ({ edit, index }))) ?? [];
  const probes = rules?.probes.map(probeEdit) ?? [];
  return {
    all: [...edits, ...conditional.map(({ edit }) => edit), ...probes],
    own: edits.length,
    ruleOf: [...conditional.map(({ index }) => index), ...probes.map(() => null)],
    firstProbe: edits.length + conditional.length,
  };
}
