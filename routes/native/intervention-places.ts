import type { z } from '@hono/zod-openapi';
import { hookPointWidth, resolveHookPoint, TillerError, whyNotEditable } from '../../engine/core/index.ts';
import type { ModelService } from '../services.ts';
import type { namedTokenSchema, positionListSchema } from './intervention-schemas.ts';

/** The hook point in canonical spelling and its width. Throws `hook_point_not_found`, `edit_not_applicable`. */
export function editablePlace(
  { card }: ModelService,
  name: string,
  param: string,
): { readonly hookPoint: string; readonly width: number } {
  const hookPoint = resolveHookPoint(name, card, param);
  const reason = whyNotEditable(hookPoint);
  if (reason !== null) {
    throw new TillerError('edit_not_applicable', `Nothing can be put at '${hookPoint}': ${reason}.`, { param });
  }
  return { hookPoint, width: hookPointWidth(card.hookPoints ?? new Map(), hookPoint) ?? card.dModel };
}

/** Prompt positions of a prompt of so many tokens, in the order given. Throws `invalid_request` for those beyond it, and for one named twice. */
export function promptPositions(
  named: z.infer<typeof positionListSchema>,
  length: number,
  param: string,
): readonly number[] {
  const refuse = (message: string): never => {
    throw new TillerError('invalid_request', message, { param });
  };
  if (!Array.isArray(named)) {
    const { from, to } = named;
    if (from >= to) refuse(`From ${from} to ${to} there is no position.`);
    if (to > length) refuse(`Positions up to ${to} are named, and the prompt has ${length} tokens.`);
    return Array.from({ length: to - from }, (_, at) => from + at);
  }
  const beyond = named.find((position) => position >= length);
  if (beyond !== undefined) refuse(`Position ${beyond} is named, and the prompt has ${length} tokens.`);
  if (new Set(named).size < named.length) refuse('A position is named twice.');
  return named;
}

/** The ids of named tokens. Throws `invalid_request` for a text that is not one token, and for an id that is none. */
export async function namedTokens(
  model: ModelService,
  named: readonly z.infer<typeof namedTokenSchema>[],
  paramOf: (index: number) => string,
  signal: AbortSignal,
): Promise<Int32Array> {
  const { tokenizer } = model;
  const ids: number[] = [];
  for (const [index, token] of named.entries()) {
    const refuse = (message: string): never => {
      throw new TillerError('invalid_request', message, { param: paramOf(index) });
    };
    if (typeof token === 'number') {
      if (token >= tokenizer.vocabularySize) {
        refuse(`${token} is no token id of this model; they go from 0 to ${tokenizer.vocabularySize - 1}.`);
      }
      ids.push(token);
      continue;
    }
    const encoded = await model.encode(token, { addSpecialTokens: false, signal });
    if (encoded.length !== 1) {
      const pieces = Array.from(encoded, (id) => JSON.stringify(tokenizer.tokenText(id))).join(', ');
      refuse(`${JSON.stringify(token)} is ${encoded.length} tokens (${pieces}): name one, or give its id.`);
    }
    ids.push(encoded[0] as number);
  }
  return Int32Array.from(ids);
}
