import { createHash } from 'node:crypto';
import { hookPointWidth, resolveHookPoint, TillerError } from '../../engine/index.ts';
import type { ModelCard, VectorReference } from '../../routes/services.ts';
import { type Direction, formatSavedName, type Registry } from '../../sae-registry/index.ts';
import type { SavedLookup } from '../profiles/saved-steerings.ts';

/** What looking up a vector needs of a loaded model. */
export interface VectorContext {
  readonly card: ModelCard;
  readonly registry: Registry;
  readonly saved: SavedLookup;
}

/** A vector looked up. */
export interface NamedDirections {
  /** `name:version`, a feature's id, or `inline`. */
  readonly name: string;
  readonly directions: readonly Direction[];
  /** The same for provenance: what pins it. */
  readonly pinned: Readonly<Record<string, string>>;
}

/** Throws `vector_not_found`, `feature_not_found`, `hook_point_not_found`, `edit_not_applicable` for another width. */
export function namedDirections({ vector, feature, param }: VectorReference, context: VectorContext): NamedDirections {
  const { card, registry, saved } = context;
  if (feature !== undefined) {
    const target = registry.target(feature, `${param}.feature`);
    if (target.kind !== 'feature') throw new TillerError('internal', 'a feature that is none');
    const hookPoint = resolveHookPoint(target.hookPoint, card);
    const { hash } = registry.sourceOf(feature, `${param}.feature`).dictionary;
    const pinned = { feature: target.id, source_hash: hash };
    return { name: target.id, directions: [{ hookPoint, values: target.decoder }], pinned };
  }
  if (typeof vector === 'string') {
    const found = saved.vector(card.id, vector, `${param}.vector`);
    const name = formatSavedName(found);
    return { name, directions: found.directions, pinned: { vector: name } };
  }
  if (vector === undefined) throw new TillerError('invalid_request', 'Give a vector or a feature.', { param });
  const hookPoint = resolveHookPoint(vector.hookPoint, card, `${param}.vector.hook_point`);
  const width = hookPointWidth(card.hookPoints ?? new Map(), hookPoint) ?? card.dModel;
  if (vector.data.length !== width) {
    const message = `The direction has ${vector.data.length} floats, but ${hookPoint} of this model is ${width} wide. Send ${width} floats.`;
    throw new TillerError('edit_not_applicable', message, { param: `${param}.vector.data` });
  }
  const { buffer, byteOffset, byteLength } = vector.data;
  const sha256 = createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
  return {
    name: 'inline',
    directions: [{ hookPoint, values: vector.data }],
    pinned: { hook_point: hookPoint, sha256 },
  };
}
