import { type EditSpecification, resolveHookPoint, TillerError } from '../engine/index.ts';
import type { EditRequest } from '../routes/services.ts';
import { formatSavedName } from '../sae-registry/index.ts';
import type { SteeringContext } from './compile-steering.ts';

/** One edit with its target looked up, and whose it is. */
export interface SteeringPart {
  readonly specification: EditSpecification;
  readonly fromProfile: boolean;
  /** Row of the saved vector that it was named by; null for none. */
  readonly vector: number | null;
}

/** An edit with its target looked up; several where a saved vector has several places. */
export function specify(edit: EditRequest, context: SteeringContext): SteeringPart[] {
  const { mode, number, unit, positions, skipSpecial, onlyIfActive, param, feature, vector } = edit;
  const { registry, card, saved } = context;
  const part = (target: EditSpecification['target'], row: number | null = null): SteeringPart => ({
    specification: { target, mode, number, unit, positions, skipSpecial, onlyIfActive, param },
    fromProfile: false,
    vector: row,
  });
  if (feature !== undefined) return [part(registry.target(feature, `${param}.feature`))];
  if (typeof vector === 'string') {
    const found = saved.vector(card.id, vector, `${param}.vector`);
    const id = formatSavedName(found);
    return found.directions.map(({ hookPoint, values }) => {
      const place = resolveHookPoint(hookPoint, card, `${param}.vector`);
      return part(registry.vectorTarget(id, place, values), found.id);
    });
  }
  if (vector) {
    // checked here, where the field that it was named in is known
    const place = resolveHookPoint(vector.hookPoint, card, `${param}.vector.hook_point`);
    return [part(registry.vectorTarget('inline', place, vector.data))];
  }
  throw new TillerError('invalid_request', 'An edit names a feature or a vector.', { param });
}
