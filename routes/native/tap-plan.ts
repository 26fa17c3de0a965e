import { type HookPointShape, resolveHookPoint, TillerError } from '../../engine/core/index.ts';
import { refuseLargeAnswer } from '../http/answer-size.ts';
import { withParam } from '../http/errors.ts';
import type { ReadingPlan } from './reading-plan.ts';
import type { TapPositions, TapsRequest } from './tap-schemas.ts';

/** The service's own budget for one answer. */
const mostBytes = 256e6;

/** A hook point that is tapped. */
export interface TappedHookPoint {
  /** Canonical spelling. */
  readonly name: string;
  /** As the request spells it: names the answer's tensors. */
  readonly asked: string;
  readonly shape: HookPointShape;
}

/** The hook points of a request. Throws `hook_point_not_found` with the item and the nearest names, `invalid_request` for one that is named twice. */
export function tappedHookPoints(
  { model: { card } }: ReadingPlan,
  names: readonly string[],
): readonly TappedHookPoint[] {
  const shapes = card.hookPoints ?? new Map<string, HookPointShape>();
  const found = new Map<string, TappedHookPoint>();
  for (const [at, asked] of names.entries()) {
    const param = `hook_points[${at}]`;
    const name = named(asked, card, param);
    const shape = shapes.get(name);
    if (!shape) throw new TillerError('hook_point_not_found', `'${card.id}' has no hook point '${asked}'.`, { param });
    if (found.has(name)) {
      throw new TillerError('invalid_request', `'${asked}' is '${found.get(name)?.asked}', which is named already.`, {
        param,
      });
    }
    found.set(name, { name, asked, shape });
  }
  return [...found.values()];
}

function named(asked: string, card: ReadingPlan['model']['card'], param: string): string {
  try {
    return resolveHookPoint(asked, card, param);
  } catch (error) {
    throw withParam(error, param);
  }
}

/**
 * The positions of one input that are told, ascending; null: all that are read. Throws `invalid_request` for positions that an input
 * does not have, with the input, and for lists of positions of replies, whose length nobody knows before.
 */
export function chosenPositions(
  { inputs, over }: ReadingPlan,
  positions: TapPositions,
): readonly (readonly number[] | null)[] {
  if (typeof positions === 'string') return inputs.map(() => null);
  if (over !== 'prompt') {
    const message = 'Positions of replies are not known before: use \'all\' or \'last\', or "over": "prompt".';
    throw new TillerError('invalid_request', message, { param: 'positions' });
  }
  const listed = Array.isArray(positions) ? [...positions] : range(positions);
  const sorted = [...new Set(listed)].toSorted((a, b) => a - b);
  const last = sorted.at(-1) ?? 0;
  const short = inputs.find(({ tokenIds }) => last >= tokenIds.length);
  if (short) {
    const message = `'${short.param}' has ${short.tokenIds.length} tokens, so there is no position ${last} (they begin at 0).`;
    throw new TillerError('invalid_request', message, { param: 'positions' });
  }
  return inputs.map(() => sorted);
}

function range({ from, to }: { readonly from: number; readonly to: number }): number[] {
  if (from >= to) {
    const message = `The range ${from}–${to} is empty: 'to' is one past the last token.`;
    throw new TillerError('invalid_request', message, { param: 'positions' });
  }
  // a range beyond every context is refused by its last position, not listed
  return to - from > 1_000_000 ? [to - 1] : Array.from({ length: to - from }, (_, at) => from + at);
}

/** Throws `answer_too_large` where the answer could take more than its budget; exact but for replies that end early. */
export function refuseLargeTaps(
  plan: ReadingPlan,
  hookPoints: readonly TappedHookPoint[],
  chosen: readonly (readonly number[] | null)[],
  { positions, dtype, max_bytes }: TapsRequest,
): void {
  const each = dtype === 'f16' ? 2 : 4;
  let bytes = 0;
  for (const [i, { tokenIds }] of plan.inputs.entries()) {
    const reply = Math.max(0, (plan.requests[i]?.stop.maxTokens ?? 0) - 1);
    const keys = tokenIds.length + reply;
    const read = plan.over === 'prompt' ? tokenIds.length : plan.over === 'generated' ? reply : keys;
    const told = positions === 'last' ? 1 : (chosen[i]?.length ?? read);
    for (const { shape } of hookPoints) bytes += told * each * widthOf(shape, keys);
  }
  refuseLargeAnswer({
    bytes,
    limit: Math.min(mostBytes, max_bytes ?? mostBytes),
    param: 'hook_points',
    wayOut: "choose 'positions', name fewer hook points or inputs, or ask for dtype 'f16'",
  });
}

function widthOf(shape: HookPointShape, keys: number): number {
  return shape.reduce<number>((product, size) => product * (size === 'keys' ? keys : size), 1);
}
