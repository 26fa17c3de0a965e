import {
  type CompiledEdit,
  compileEdits,
  type EditSpecification,
  resolveHookPoint,
  sameTarget,
  TillerError,
} from '../engine/index.ts';
import type { EditRequest, ModelCard, SteeringRequest } from '../routes/services.ts';
import { formatSavedName, type Registry } from '../sae-registry/index.ts';
import type { RunnableProfile, SavedLookup } from './profiles/saved-steerings.ts';

export interface SteeringContext {
  readonly card: ModelCard;
  readonly registry: Registry;
  readonly saved: SavedLookup;
  readonly maxEdits: number;
  /** Tokens of the shortest and of the longest prompt, where known: ranges and overlaps are checked against them. */
  readonly promptLengths: { readonly shortest: number; readonly longest: number } | null;
}

/** One edit with its target looked up, and whose it is. */
export interface SteeringPart {
  readonly specification: EditSpecification;
  readonly fromProfile: boolean;
  /** Row of the saved vector that it was named by; null for none. */
  readonly vector: number | null;
}

export interface CompiledSteering {
  /** The profile's edits first, then the request's. */
  readonly parts: readonly SteeringPart[];
  /** One for each part. */
  readonly compiled: readonly CompiledEdit[];
  readonly profile: RunnableProfile | null;
}

/** Looks up every id of a steering, puts profile and request together, and makes every unit raw. */
export function compileSteering(request: SteeringRequest, context: SteeringContext): CompiledSteering {
  const profile = request.profile === undefined ? null : runnable(request.profile, context);
  const own = request.edits.flatMap((edit) => specify(edit, context));
  const kept = (profile?.specifications ?? []).filter((one) => !own.some((other) => replaces(other, one)));
  const parts = [...kept.map((specification) => ({ specification, fromProfile: true, vector: null })), ...own];
  const compiled = compileFor(
    parts.map(({ specification }) => specification),
    context,
  );
  return { parts, compiled, profile };
}

/** Edits with their targets looked up, compiled for the model. Throws as `compileEdits`. */
export function compileFor(
  specifications: readonly EditSpecification[],
  { card, maxEdits, promptLengths }: Omit<SteeringContext, 'registry' | 'saved'>,
): readonly CompiledEdit[] {
  const { dModel, blocks, parallelResidual, hookPoints } = card;
  const lengths = promptLengths && { promptLength: promptLengths.shortest, longestPromptLength: promptLengths.longest };
  return compileEdits(specifications, { dModel, blocks, parallelResidual, hookPoints, maxEdits, ...lengths });
}

/** A profile of these very weights: on others its numbers would mean something else. */
function runnable(reference: string, { card, saved }: SteeringContext): RunnableProfile {
  const param = 'steering.profile';
  const profile = saved.profile(card.id, reference, param);
  if (profile.saved.fingerprint.model_hash === card.hash) return profile;
  const name = formatSavedName(profile.saved);
  const message = `Profile '${name}' was saved on other weights of ${card.id} than those that are loaded: save it again on these, or load those.`;
  throw new TillerError('edit_not_applicable', message, { param });
}

/**
 * A request's edit takes the place of its profile's edit of the same target: the same feature, the same saved vector in whatever
 * version, or a parallel direction at the same hook point.
 */
function replaces({ specification: own }: SteeringPart, its: EditSpecification): boolean {
  const [a, b] = [own.target, its.target];
  if (a.kind === 'feature' || b.kind === 'feature') return sameTarget(a, b);
  if (a.id !== 'inline' && nameOf(a.id) === nameOf(b.id)) return true;
  return a.hookPoint === b.hookPoint && sameTarget(a, b);
}

/** `pirate:2` without its version. */
function nameOf(id: string): string {
  return id.split(':')[0] ?? id;
}

function specify(edit: EditRequest, context: SteeringContext): SteeringPart[] {
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
