import { resolveHookPoint, TillerError } from '../../engine/index.ts';
import type { DirectionRequest, ModelCard, WrittenDirection } from '../../routes/services.ts';
import { formatSavedName, type Registry } from '../../sae-registry/index.ts';
import type { SavedLookup } from '../profiles/saved-steerings.ts';

export interface DirectionContext {
  readonly card: ModelCard;
  readonly registry: Registry;
  readonly saved: SavedLookup;
}

/** Directions of a request looked up (routes/logits-port.ts says what is thrown). */
export function resolveDirections(
  requests: readonly DirectionRequest[],
  context: DirectionContext,
): readonly WrittenDirection[] {
  return requests.flatMap((request) => resolve(request, context));
}

function resolve(request: DirectionRequest, { card, registry, saved }: DirectionContext): WrittenDirection[] {
  const { feature, vector, coefficient, param } = request;
  if (feature !== undefined) {
    const target = registry.target(feature, `${param}.feature`);
    if (target.kind !== 'feature') throw new TillerError('internal', 'a feature that is none');
    const { id, encoder } = target;
    const hookPoint = written(target.hookPoint, card, `${param}.feature`);
    const read = coefficient ?? encoder;
    if (read !== null) return [{ target: id, hookPoint, direction: target.decoder, coefficient: read }];
    const message = `The activation of '${id}' cannot be read of one row of its encoder: give a 'coefficient'.`;
    throw new TillerError('edit_not_applicable', message, { param: `${param}.coefficient` });
  }
  if (typeof vector === 'string') {
    const found = saved.vector(card.id, vector, `${param}.vector`);
    return found.directions.map(({ hookPoint, values }) => {
      const place = written(resolveHookPoint(hookPoint, card, `${param}.vector`), card, `${param}.vector`);
      return ofVector(formatSavedName(found), place, values, request, card);
    });
  }
  if (!vector) throw new TillerError('invalid_request', 'A direction is a feature or a vector.', { param });
  const place = resolveHookPoint(vector.hookPoint, card, `${param}.vector.hook_point`);
  return [ofVector('inline', written(place, card, `${param}.vector.hook_point`), vector.data, request, card)];
}

/** Without a coefficient: the part of the stream along it. */
function ofVector(
  target: string,
  hookPoint: string,
  values: Float32Array,
  { coefficient, param }: DirectionRequest,
  { dModel }: ModelCard,
): WrittenDirection {
  const refuse = (reason: string): never => {
    throw new TillerError('edit_not_applicable', `The vector ${reason}.`, { param: `${param}.vector` });
  };
  if (values.length !== dModel) refuse(`has ${values.length} floats; the stream has ${dModel}`);
  if (!values.every(Number.isFinite)) refuse('has numbers that are not finite');
  if (coefficient !== null) return { target, hookPoint, direction: values, coefficient };
  const norm = Math.hypot(...values);
  if (!(norm > 0 && Number.isFinite(norm))) refuse('has no direction: its norm is 0 or beyond float32');
  const direction = values.map((value) => value / norm);
  return { target, hookPoint, direction, coefficient: { direction, bias: 0, threshold: Number.NEGATIVE_INFINITY } };
}

/** What stands there is the stream, or is added to it as it is. */
const stream = /^(?:hook_embed|blocks\.\d+\.hook_(?:resid_pre|resid_mid|resid_post|attn_out|mlp_out))$/;

/** Throws `edit_not_applicable` for a place whose values are not part of the stream. */
function written(hookPoint: string, { hookPoints }: ModelCard, param: string): string {
  if (stream.test(hookPoint)) return hookPoint;
  const [, block] = /^blocks\.(\d+)\.mlp\.hook_out$/.exec(hookPoint) ?? [];
  // where no norm comes between, it is what is added
  if (block !== undefined && !hookPoints?.has(`blocks.${block}.ln2_post.hook_scale`)) return hookPoint;
  const message = `What stands at '${hookPoint}' is not added to the stream as it is, so it writes no logits by itself.`;
  throw new TillerError('edit_not_applicable', message, { param });
}
