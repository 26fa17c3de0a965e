import {
  type ConditionUnit,
  type EditTarget,
  mapComparisons,
  type Probe,
  type ReadComparison,
  type RuleSpecification,
  refuseRule,
  TillerError,
} from '../engine/index.ts';
import type { ComparisonRequest, ReadVector, RuleRequest } from '../routes/services.ts';
import { formatSavedName } from '../sae-registry/index.ts';
import type { SteeringContext } from './compile-steering.ts';
import { type SteeringPart, specify } from './specify-edit.ts';

/** A request's rule with every id looked up. */
export interface SpecifiedRule {
  readonly specification: RuleSpecification;
  /** Its edits; one for each place of a saved vector. */
  readonly parts: readonly SteeringPart[];
  /** Rows of the saved vectors that its condition reads. */
  readonly vectors: readonly number[];
}

/**
 * Looks up what a rule reads and writes. Throws as edits do, and `edit_not_applicable` for what a condition cannot read or compare,
 * with the comparison's own place: `steering.rules[1].when.any[0]`.
 */
export function specifyRule(rule: RuleRequest, context: SteeringContext): SpecifiedRule {
  const parts = rule.edits.flatMap((edit) => specify(edit, context));
  const vectors: number[] = [];
  const when = mapComparisons(rule.when, (one: ComparisonRequest) => {
    const { comparison, vector } = read(one, context);
    if (vector !== null) vectors.push(vector);
    return comparison;
  });
  const { latch, stop, param } = rule;
  return {
    specification: { when, latch, stop, edits: parts.map(({ specification }) => specification), param },
    parts,
    vectors,
  };
}

interface Read {
  readonly comparison: ReadComparison;
  readonly vector: number | null;
}

function read(one: ComparisonRequest, context: SteeringContext): Read {
  const { param } = one;
  if (one.feature !== undefined) {
    const target = context.registry.target(one.feature, `${param}.feature`);
    return { comparison: readFeature(one, target), vector: null };
  }
  const field = one.vector === undefined ? 'probe' : 'vector';
  const named = one.vector ?? one.probe;
  if (named === undefined) throw new TillerError('invalid_request', 'A comparison reads something.', { param });
  const { target, row } = lookUp(named, one, `${param}.${field}`, context);
  const comparison = field === 'vector' ? readVector(one, target) : readProbe(one, target);
  return { comparison, vector: row };
}

const linear = { threshold: Number.NEGATIVE_INFINITY, sinkNorm: Number.POSITIVE_INFINITY };

function readFeature(one: ComparisonRequest, target: EditTarget): ReadComparison {
  const { param } = one;
  if (target.kind !== 'feature' || target.encoder === null) {
    return refuseRule('readsWholeDictionary', `${param}.feature`, { target: target.id });
  }
  const unit = unitOf(one, ['max_activation', 'raw'], 'a feature');
  const scale = unit === 'raw' ? 1 : statistic(target.maxActivation, target, 'maximum activation', param);
  const { encoder, hookPoint } = target;
  const probe = { hookPoint, ...encoder, sinkNorm: target.sinkNorm ?? Number.POSITIVE_INFINITY, perNorm: false };
  return compared(one, { target, probe, unit, scale });
}

function readVector(one: ComparisonRequest, target: VectorTarget): ReadComparison {
  const { param } = one;
  const unit = unitOf(one, ['stream_norm', 'cosine', 'raw'], 'a vector');
  const scale = unit === 'stream_norm' ? statistic(target.streamNorm, target, 'median stream norm', param) : 1;
  const length = Math.hypot(...target.direction);
  if (!(length > 0 && Number.isFinite(length))) {
    const message = 'The direction has no length to read along. Send a direction with a finite norm above 0.';
    throw new TillerError('edit_not_applicable', message, { param: `${param}.vector` });
  }
  const direction = target.direction.map((value) => value / length);
  const probe = { hookPoint: target.hookPoint, direction, bias: 0, ...linear, perNorm: unit === 'cosine' };
  return compared(one, { target, probe, unit, scale });
}

function readProbe(one: ComparisonRequest, target: VectorTarget): ReadComparison {
  const unit = unitOf(one, ['raw', 'probability'], 'a probe');
  const { hookPoint, direction } = target;
  const probe = { hookPoint, direction, bias: one.bias, ...linear, perNorm: false };
  const comparison = compared(one, { target, probe, unit, scale: 1 });
  if (unit === 'raw') return comparison;
  const { threshold: p } = one;
  if (!(p > 0 && p < 1)) refuseRule('notAProbability', `${one.param}.${one.above ? 'above' : 'below'}`, { value: p });
  return { ...comparison, threshold: Math.log(p / (1 - p)) };
}

function compared(
  { above, threshold, over }: ComparisonRequest,
  found: { readonly target: EditTarget; readonly probe: Probe; readonly unit: ConditionUnit; readonly scale: number },
): ReadComparison {
  const { target, probe, unit, scale } = found;
  const named = { target: target.id, targetKind: target.kind };
  return { kind: 'compare', above, over, threshold: threshold * scale, probe, unit, scale, ...named };
}

type VectorTarget = Extract<EditTarget, { readonly kind: 'vector' }>;

/** The direction that a name means, or that is given. */
function lookUp(
  vector: ReadVector,
  { hookPoint: wanted, param }: ComparisonRequest,
  at: string,
  { registry, card, saved }: SteeringContext,
): { readonly target: VectorTarget; readonly row: number | null } {
  if (typeof vector !== 'string') return { target: vectorAt('inline', vector.hookPoint, vector.data), row: null };
  const found = saved.vector(card.id, vector, at);
  const places = found.directions.map(({ hookPoint }) => hookPoint);
  const [first, ...others] = found.directions;
  const one = wanted === null ? first : found.directions.find(({ hookPoint }) => hookPoint === wanted);
  if (!one || (wanted === null && others.length > 0)) {
    const message = `Vector '${formatSavedName(found)}' has directions at ${places.join(', ')}: name one of these in 'hook_point'.`;
    throw new TillerError('invalid_request', message, {
      param: `${param}.hook_point`,
      suggestions: places.slice(0, 3),
    });
  }
  return { target: vectorAt(formatSavedName(found), one.hookPoint, one.values), row: found.id };

  function vectorAt(id: string, hookPoint: string, values: Float32Array): VectorTarget {
    const target = registry.vectorTarget(id, hookPoint, values);
    if (target.kind === 'vector') return target;
    throw new TillerError('internal', 'a vector that is no vector');
  }
}

function unitOf(
  one: ComparisonRequest,
  units: readonly [ConditionUnit, ...ConditionUnit[]],
  what: string,
): ConditionUnit {
  const unit = one.unit ?? units[0];
  if (units.includes(unit)) return unit;
  return refuseRule('unitOfCondition', `${one.param}.unit`, { unit, what, units: units.join(', ') });
}

function statistic(value: number | null, target: EditTarget, what: string, param: string): number {
  if (value !== null && value > 0 && Number.isFinite(value)) return value;
  const place = target.kind === 'feature' ? target.id : target.hookPoint;
  const message = `There is no ${what} for ${place}, so the number to compare with has no meaning. Use unit raw, or collect statistics (tiller sae stats, tiller collect).`;
  throw new TillerError('statistics_missing', message, { param: `${param}.unit` });
}
