import fc from 'fast-check';
import type { Edit, Positions } from '../../engine/core/edit.ts';
import type { Condition, Probe, Rule, RuleSet } from '../../engine/core/rule.ts';
import { editOf } from './requests.ts';

const ends = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };

/** A probe of the fake executor: which reading it finds follows from `salt`. */
export function fakeProbe(salt: number, more: Partial<Probe> = {}): Probe {
  return {
    hookPoint: `blocks.${salt % 3}.hook_resid_post`,
    direction: Float32Array.of(salt / 1000, 1),
    bias: 0,
    threshold: ends.least,
    sinkNorm: ends.most,
    perNorm: false,
    ...more,
  };
}

const probeArbitrary = fc
  .record({
    salt: fc.integer({ min: 20, max: 24 }),
    threshold: fc.constantFrom(ends.least, ends.least, 0, 0.3),
    sinkNorm: fc.constantFrom(ends.most, ends.most, 13),
    perNorm: fc.boolean(),
  })
  .map(({ salt, ...more }) => fakeProbe(salt, more));

function conditionArbitrary(probes: number): fc.Arbitrary<Condition> {
  const compare = fc.record({
    kind: fc.constant('compare' as const),
    probe: fc.nat(probes - 1),
    over: fc.constantFrom('token' as const, 'token' as const, 'last' as const, 'mean' as const, 'max' as const),
    above: fc.boolean(),
    threshold: fc.constantFrom(-0.3, 0.02, 0.05, 0.4),
  });
  const inside = (depth: number): fc.Arbitrary<Condition> =>
    depth === 0
      ? compare
      : fc.oneof(
          { weight: 3, arbitrary: compare },
          {
            weight: 2,
            arbitrary: fc.record({
              kind: fc.constantFrom('all' as const, 'any' as const),
              of: fc.array(inside(depth - 1), { minLength: 1, maxLength: 3 }),
            }),
          },
          { weight: 1, arbitrary: fc.record({ kind: fc.constant('not' as const), of: inside(depth - 1) }) },
        );
  return inside(2);
}

const ruleEdit: fc.Arbitrary<Edit> = fc
  .record({
    beta: fc.integer({ min: 1, max: 9 }),
    positions: fc.constantFrom<Positions>('all', 'all_but_first', 'generated'),
    block: fc.nat(3),
  })
  .map(({ beta, positions, block }) => editOf(beta, positions, `blocks.${block}.hook_resid_post`));

/** Up to three rules over up to three probes of the fake executor; a few of them stop. */
export const ruleSetArbitrary: fc.Arbitrary<RuleSet> = fc
  .array(probeArbitrary, { minLength: 1, maxLength: 3 })
  .chain((probes) =>
    fc
      .array(
        fc.record({
          when: conditionArbitrary(probes.length),
          latch: fc.boolean(),
          edits: fc.array(ruleEdit, { maxLength: 2 }),
          stop: fc.nat(5).map((number) => number === 0),
        }),
        { minLength: 1, maxLength: 3 },
      )
      .map((rules) => ({
        probes,
        rules: rules.map((rule, at): Rule => ({ ...rule, param: `steering.rules[${at}]` })),
      })),
  );
