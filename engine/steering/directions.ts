import type { Edit } from '../core/edit.ts';
import type { EditSpecification, EditTarget } from '../core/steering.ts';
import { norm, scaled } from './linear-algebra.ts';
import { modeTable } from './modes.ts';
import { refuse } from './refusals.ts';

/** What an edit reads and writes. */
export interface Directions {
  readonly read: Edit['read'];
  readonly write: Float32Array;
}

/** Where an edit is made, in canonical spelling, and the floats that a token has there. */
export interface EditedPlace {
  readonly hookPoint: string;
  readonly width: number;
}

/**
 * The directions of an edit: encoder and decoder rows of a feature, its unit decoder row where the mode works along that, or
 * a unit vector; a vector that is added as it is keeps its magnitude. `read` is null where nothing has to be read.
 */
export function directionsOf(specification: EditSpecification, place: EditedPlace): Directions {
  const { target, mode, onlyIfActive, param } = specification;
  checkDirections(target, place, param);
  const row = modeTable[mode];
  if (target.kind === 'vector') {
    if (onlyIfActive) refuse('onlyIfActiveVector', `${param}.only_if_active`);
    return row.reads ? alongUnit(target.direction, param) : { read: null, write: target.direction };
  }
  if (row.alongDecoder) {
    if (onlyIfActive) refuse('onlyIfActiveOrthogonal', `${param}.only_if_active`);
    return alongUnit(target.decoder, param);
  }
  if (!row.reads && !onlyIfActive) return { read: null, write: target.decoder };
  if (target.encoder === null) {
    return refuse('noEncoder', onlyIfActive ? `${param}.only_if_active` : `${param}.mode`, {
      target: target.id,
      what: row.reads ? `mode ${mode}` : "'only_if_active'",
    });
  }
  const threshold = row.linear ? Number.NEGATIVE_INFINITY : target.encoder.threshold;
  return { read: { ...target.encoder, threshold }, write: target.decoder };
}

/** e = d = the unit vector, θ = −∞. */
function alongUnit(direction: Float32Array, param: string): Directions {
  const length = norm(direction);
  if (!(length > 0)) refuse('zeroDirection', param);
  const unit = scaled(direction, 1 / length);
  return { read: { direction: unit, bias: 0, threshold: Number.NEGATIVE_INFINITY }, write: unit };
}

function checkDirections(target: EditTarget, { hookPoint, width }: EditedPlace, param: string): void {
  const rows =
    target.kind === 'vector'
      ? [target.direction]
      : [target.decoder, ...(target.encoder === null ? [] : [target.encoder.direction])];
  for (const row of rows) {
    if (row.length !== width) refuse('wrongWidth', param, { length: row.length, hookPoint, width });
    const index = row.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) refuse('directionNotFinite', param, { index });
  }
}
