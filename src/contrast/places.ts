import {
  formatHookPoint,
  hookPointWidth,
  nearest,
  resolveHookPoint,
  TillerError,
  whyNotEditable,
} from '../../engine/index.ts';
import type { ModelCard } from '../../routes/services.ts';
import type { Registry } from '../../sae-registry/index.ts';
import type { ReadPlace } from './read-items.ts';

/** A token whose vector is so many times as long as the median is an attention sink, where no source says better. */
const sinkFactor = 10;

/**
 * Where a contrast looks: the hook points that are named, each once, or the stream after each block of the middle half. Throws
 * `hook_point_not_found`, and `edit_not_applicable` for one that no vector can be added at.
 */
export function contrastPlaces(
  wanted: readonly string[] | null,
  card: ModelCard,
  registry: Pick<Registry, 'streamNorm' | 'sources'>,
): ReadPlace[] {
  const shapes = card.hookPoints ?? new Map();
  const named = wanted?.map((name, at) => {
    const param = `hook_points[${at}]`;
    const hookPoint = resolveHookPoint(name, card, param);
    const reason = whyNotEditable(hookPoint);
    if (reason !== null) {
      throw new TillerError('edit_not_applicable', `No vector can be added at ${hookPoint}: ${reason}.`, { param });
    }
    return hookPoint;
  });
  return [...new Set(named ?? middleOfStream(card.blocks))].map((hookPoint) => {
    const width = hookPointWidth(shapes, hookPoint);
    if (width === undefined) {
      const suggestions = nearest(hookPoint, shapes.keys());
      throw new TillerError('hook_point_not_found', `'${hookPoint}' has no fixed width.`, { suggestions });
    }
    const card = registry.sources.find((source) => source.hookPoint === hookPoint)?.card;
    const median = registry.streamNorm(hookPoint)?.norm;
    return { hookPoint, width, sinkNorm: card?.sink_norm ?? (median ? sinkFactor * median : Number.POSITIVE_INFINITY) };
  });
}

/** After each block of the middle half, where behaviour is said to be decided. */
function middleOfStream(blocks: number): string[] {
  const [first, end] = [Math.floor(blocks / 4), Math.max(Math.ceil((3 * blocks) / 4), 1)];
  return Array.from({ length: end - first }, (_, at) =>
    formatHookPoint({ site: 'hook_resid_post', block: first + at }),
  );
}
