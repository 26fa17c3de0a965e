import { z } from 'zod';
import {
  type ConditionTree,
  conditionUnits,
  type EditSpecification,
  mapComparisons,
  promptAggregates,
  type ReadComparison,
  type RuleSpecification,
} from '../engine/core/index.ts';
import { directionSchema, type FrozenEdit, frozenEditSchema } from './frozen-edit.ts';

/** A comparison with its number and its threshold raw. What JSON cannot write is null: −∞ and +∞. */
const comparisonSchema = z.strictObject({
  kind: z.literal('compare'),
  /** Feature id, `name:version` of a vector, or `inline`. */
  target: z.string().min(1),
  target_kind: z.enum(['feature', 'vector']),
  unit: z.enum(conditionUnits),
  scale: z.number(),
  above: z.boolean(),
  threshold: z.number(),
  over: z.enum(['token', ...promptAggregates]),
  /** In canonical spelling. */
  hook_point: z.string().min(1),
  direction: directionSchema,
  bias: z.number(),
  active_above: z.number().nullable(),
  sink_norm: z.number().nullable(),
  per_norm: z.boolean(),
});
type FrozenComparison = z.infer<typeof comparisonSchema>;
type FrozenCondition = ConditionTree<FrozenComparison>;

const conditionSchema: z.ZodType<FrozenCondition> = z.lazy(() =>
  z.union([
    z.strictObject({ kind: z.enum(['all', 'any']), of: z.array(conditionSchema).min(1) }),
    z.strictObject({ kind: z.literal('not'), of: conditionSchema }),
    comparisonSchema,
  ]),
);

const frozenRuleSchema = z.strictObject({
  when: conditionSchema,
  latch: z.boolean(),
  stop: z.boolean(),
  edits: z.array(frozenEditSchema),
});

export const frozenRulesSchema = z.array(frozenRuleSchema);
/** A rule that depends on nothing outside its steering. */
export type FrozenRule = z.infer<typeof frozenRuleSchema>;

/** @param keep puts a direction among those of the steering, and says where */
export function freezeRule(
  { when, latch, stop }: RuleSpecification,
  edits: readonly FrozenEdit[],
  keep: (direction: Float32Array) => number,
): FrozenRule {
  const frozen = mapComparisons(when, (one: ReadComparison): FrozenComparison => {
    const { probe, target, targetKind, unit, scale, above, threshold, over } = one;
    return {
      ...{ kind: 'compare', target, target_kind: targetKind, unit, scale, above, threshold, over },
      hook_point: probe.hookPoint,
      direction: keep(probe.direction),
      bias: probe.bias,
      active_above: finiteOrNull(probe.threshold),
      sink_norm: finiteOrNull(probe.sinkNorm),
      per_norm: probe.perNorm,
    };
  });
  return { when: frozen, latch, stop, edits: [...edits] };
}

/** @param directionAt what `freezeRule` kept */
export function thawRule(
  { when, latch, stop }: FrozenRule,
  edits: readonly EditSpecification[],
  directionAt: (at: number) => Float32Array,
  param: string,
): RuleSpecification {
  const thawed = mapComparisons(when, (one: FrozenComparison): ReadComparison => {
    const { target, target_kind: targetKind, unit, scale, above, threshold, over } = one;
    return {
      ...{ kind: 'compare', target, targetKind, unit, scale, above, threshold, over },
      probe: {
        hookPoint: one.hook_point,
        direction: directionAt(one.direction),
        bias: one.bias,
        threshold: one.active_above ?? Number.NEGATIVE_INFINITY,
        sinkNorm: one.sink_norm ?? Number.POSITIVE_INFINITY,
        perNorm: one.per_norm,
      },
    };
  });
  return { when: thawed, latch, stop, edits, param };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
