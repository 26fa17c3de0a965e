import type { Edit, PositionContext, Positions } from '../core/edit.ts';

/**
 * Which tokens of a step an edit touches: 1 or 0 for each of `tokens`, of which the first stands at absolute position
 * `start`. Positions are indices of input tokens; P is the prompt's length.
 *
 * | kind          | positions                                                                              |
 * |---------------|----------------------------------------------------------------------------------------|
 * | all           | every one                                                                              |
 * | all_but_first | 1, 2, …                                                                                |
 * | prompt        | 1 … P−1                                                                                |
 * | generated     | P−1, P, … : every position that predicts a generated token (position 0 too, if P is 1) |
 * | assistant     | the same, and the positions that predict earlier assistant messages                    |
 * | last          | P−1 only: the last prompt token, and no generated one                                  |
 * | { from, to }  | from … to−1 within the prompt                                                          |
 *
 * `skipSpecial` takes away the chat template's own tokens in the prompt and special ids among the generated tokens.
 */
export function positionsMask(
  edit: Pick<Edit, 'positions' | 'skipSpecial'>,
  context: PositionContext,
  start: number,
  tokens: Int32Array,
): Float32Array {
  const mask = new Float32Array(tokens.length);
  for (let i = 0; i < tokens.length; i++) {
    const position = start + i;
    if (!named(edit.positions, context, position)) continue;
    if (edit.skipSpecial && isSpecial(context, position, tokens[i] as number)) continue;
    mask[i] = 1;
  }
  return mask;
}

function named(positions: Positions, context: PositionContext, position: number): boolean {
  const last = context.promptLength - 1;
  switch (positions) {
    case 'all':
      return true;
    case 'all_but_first':
      return position >= 1;
    case 'prompt':
      return position >= 1 && position <= last;
    case 'generated':
      return position >= last;
    case 'assistant':
      return position >= last || context.assistantRanges.some(([from, to]) => position >= from && position < to);
    case 'last':
      return position === last;
    default:
      return position >= positions.from && position < positions.to && position <= last;
  }
}

function isSpecial(context: PositionContext, position: number, token: number): boolean {
  if (position < context.promptLength) return context.promptIsSpecial[position] === 1;
  return context.specialTokenIds.has(token);
}

/** The same spelling of the same tokens. */
export function samePositions(a: Positions, b: Positions): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.from === b.from && a.to === b.to;
}

/**
 * Whether two position sets can share a token. Exact once the prompt's length is known, `assistant` aside (its earlier
 * ranges may lie anywhere in the prompt); before that `last`, `generated` and `assistant` may begin anywhere, so a range is
 * told apart only from other ranges, and from `prompt` and `all_but_first` when it names position 0 alone.
 */
export function positionsOverlap(a: Positions, b: Positions, promptLength: number | null): boolean {
  const first = bounds(a, promptLength);
  const second = bounds(b, promptLength);
  return Math.max(first.from, second.from) < Math.min(first.to, second.to);
}

/** The smallest half-open interval that certainly holds the positions. */
function bounds(positions: Positions, promptLength: number | null): { from: number; to: number } {
  const end = Number.POSITIVE_INFINITY;
  const last = promptLength === null ? 0 : promptLength - 1;
  switch (positions) {
    case 'all':
    case 'assistant':
      return { from: 0, to: end };
    case 'all_but_first':
      return { from: 1, to: end };
    case 'prompt':
      return { from: 1, to: promptLength ?? end };
    case 'generated':
      return { from: last, to: end };
    case 'last':
      return { from: last, to: promptLength ?? end };
    default:
      return positions;
  }
}
