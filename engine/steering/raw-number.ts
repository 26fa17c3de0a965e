import { type EditSpecification, type EditTarget, modeNumber, type SteeringUnit } from '../core/steering.ts';
import { norm } from './linear-algebra.ts';
import { modeTable } from './modes.ts';
import { refuse } from './refusals.ts';

/** Numbers beyond this leave no room for squares and sums in float32. */
export const largestWrite = 1e15;

/**
 * The edit's number in raw units, null for a mode that takes none: asked again with `unit: raw` it gives the same edit.
 *
 * - `raw`: the number itself. Allowed everywhere, plain factors included.
 * - `max_activation` (default of a feature's amounts): number × the feature's maximum activation (p99.9).
 * - `stream_norm` (default of a vector's amounts): number × the median norm of the stream at the hook point, measured along
 *   the written direction. A vector's `add` has `raw` count multiples of the vector itself, so its norm divides here; every
 *   other mode works on the unit vector. A feature's amounts are activations, each worth ‖d‖ in the stream.
 *
 * Refused: max_activation of a vector; any unit but raw for factors (scale, orthogonal) and for ablate; units without
 * statistics; numbers that are absent, unwanted or not finite.
 */
export function rawNumber(specification: EditSpecification): number | null {
  const { mode, number, target, param } = specification;
  const name = modeNumber[mode];
  const kind = modeTable[mode].number;
  if (name === null) {
    if (number !== null) refuse('numberUnwanted', param, { mode });
  } else if (number === null) {
    refuse('numberMissing', `${param}.${name}`, { mode, name });
  } else if (!Number.isFinite(number)) {
    refuse('numberNotFinite', `${param}.${name}`, { name });
  }
  if (kind !== 'amount' && specification.unit !== null && specification.unit !== 'raw') {
    refuse('unitMeaningless', `${param}.unit`, {
      unit: specification.unit,
      what: kind === 'none' ? `mode ${mode}, which takes no number` : `the plain factor of mode ${mode}`,
    });
  }
  if (number === null || kind !== 'amount') return number;
  return number * unitInRaw(target, specification, specification.unit ?? defaultUnit(target));
}

function defaultUnit(target: EditTarget): SteeringUnit {
  return target.kind === 'feature' ? 'max_activation' : 'stream_norm';
}

/** How much raw number one unit is. */
function unitInRaw(target: EditTarget, { mode, param }: EditSpecification, unit: SteeringUnit): number {
  if (unit === 'raw') return 1;
  if (unit === 'max_activation') {
    if (target.kind === 'vector') return refuse('unitMeaningless', `${param}.unit`, { unit, what: 'a vector' });
    if (!(target.maxActivation !== null && target.maxActivation > 0 && Number.isFinite(target.maxActivation))) {
      return refuse('maxActivationMissing', `${param}.unit`, { target: target.id });
    }
    return target.maxActivation;
  }
  if (!(target.streamNorm !== null && target.streamNorm > 0 && Number.isFinite(target.streamNorm))) {
    return refuse('streamNormMissing', `${param}.unit`, { hookPoint: target.hookPoint });
  }
  if (target.kind === 'vector' && mode !== 'add') return target.streamNorm;
  const length = norm(target.kind === 'vector' ? target.direction : target.decoder);
  return length > 0 ? target.streamNorm / length : refuse('zeroDirection', param);
}
