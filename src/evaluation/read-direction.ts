import { hookPointWidth, resolveHookPoint, TillerError } from '../../engine/index.ts';
import type { TextTarget } from '../../routes/services.ts';
import type { EvaluationContext } from './context.ts';

/** What a probe reads: v = x·direction + bias, counted where v > threshold. */
export interface ReadDirection {
  readonly hookPoint: string;
  readonly direction: Float32Array;
  readonly bias: number;
  /** −∞ of a vector. */
  readonly threshold: number;
}

/** A probe's direction: a vector's at unit length, a feature's encoder row as it is. */
export function readDirection(
  target: Extract<TextTarget, { readonly kind: 'probe' }>,
  context: EvaluationContext,
): ReadDirection {
  const { feature, vector, param } = target;
  if (feature !== undefined) return ofFeature(feature, `${param}.feature`, context);
  const { hookPoint, values } = ofVector(vector, target, context);
  return { hookPoint, direction: unit(values, `${param}.vector`), bias: 0, threshold: Number.NEGATIVE_INFINITY };
}

function ofFeature(feature: string, param: string, { registry }: EvaluationContext): ReadDirection {
  const target = registry.target(feature, param);
  if (target.kind === 'feature' && target.encoder) return { hookPoint: target.hookPoint, ...target.encoder };
  const message = `${feature} cannot be read by its own row alone (its source compares all features, or reads elsewhere): give a vector.`;
  throw new TillerError('edit_not_applicable', message, { param });
}

function ofVector(
  vector: Extract<TextTarget, { readonly kind: 'probe' }>['vector'],
  { hookPoint: wanted, param }: Extract<TextTarget, { readonly kind: 'probe' }>,
  { card, saved }: EvaluationContext,
): { readonly hookPoint: string; readonly values: Float32Array } {
  if (vector === undefined) throw new TillerError('invalid_request', 'A probe is a feature or a vector.', { param });
  if (typeof vector !== 'string') {
    const hookPoint = resolveHookPoint(vector.hookPoint, card, `${param}.vector.hook_point`);
    const width = hookPointWidth(card.hookPoints ?? new Map(), hookPoint) ?? card.dModel;
    if (vector.data.length === width) return { hookPoint, values: vector.data };
    const message = `The direction has ${vector.data.length} floats, but ${hookPoint} of this model is ${width} wide. Send ${width} floats.`;
    throw new TillerError('edit_not_applicable', message, { param: `${param}.vector.data` });
  }
  const { directions } = saved.vector(card.id, vector, `${param}.vector`);
  const places = directions.map(({ hookPoint }) => hookPoint);
  const place = wanted === null ? null : resolveHookPoint(wanted, card, `${param}.hook_point`);
  const [found, ...others] = place === null ? directions : directions.filter(({ hookPoint }) => hookPoint === place);
  if (found && others.length === 0) return found;
  const message = found
    ? `'${vector}' has directions at ${places.length} hook points: say which in 'hook_point'.`
    : `'${vector}' has no direction at ${place}.`;
  throw new TillerError('invalid_request', message, { param: `${param}.hook_point`, suggestions: places.slice(0, 5) });
}

function unit(values: Float32Array, param: string): Float32Array {
  const length = Math.hypot(...values);
  if (length > 0) return values.map((value) => value / length);
  throw new TillerError('edit_not_applicable', 'A direction of zeros reads nothing.', { param });
}
