import { z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { rangeSchema } from '../http/steering-schema.ts';
import type { ReadingInput } from './reading-inputs.ts';

/** Which positions of an input are told. */
export const chosenPositionsSchema = z
  .union([z.enum(['last', 'all']), z.array(z.int()).min(1).max(65_536), rangeSchema])
  .openapi('ChosenPositions', {
    description:
      'Positions of tokens, from 0; negative ones count from the end, -1 being the last. Logits at a position are about the token after it.',
  });

export type ChosenPositions = z.infer<typeof chosenPositionsSchema>;

/** 1 for the positions of an input that are chosen. Throws `invalid_request` for one that it does not have. */
export function chosenMask(chosen: ChosenPositions, { tokenIds, param }: ReadingInput): Uint8Array {
  const { length } = tokenIds;
  const mask = new Uint8Array(length);
  if (chosen === 'all') return mask.fill(1);
  if (chosen === 'last') {
    mask[length - 1] = 1;
    return mask;
  }
  if (!Array.isArray(chosen)) {
    if (chosen.from >= chosen.to) throw invalid(`The range ${chosen.from}–${chosen.to} is empty.`, 'positions');
    if (chosen.to > length) throw beyond(chosen.to - 1, length, param, 'positions.to');
    return mask.fill(1, chosen.from, chosen.to);
  }
  for (const [index, position] of chosen.entries()) {
    const at = position < 0 ? length + position : position;
    if (at < 0 || at >= length) throw beyond(position, length, param, `positions[${index}]`);
    mask[at] = 1;
  }
  return mask;
}

export function countOf(mask: Uint8Array): number {
  return mask.reduce((sum, one) => sum + one, 0);
}

function beyond(position: number, length: number, input: string, param: string): TillerError {
  return invalid(`There is no position ${position}: '${input}' has ${length} tokens.`, param);
}

function invalid(message: string, param: string): TillerError {
  return new TillerError('invalid_request', message, { param });
}
