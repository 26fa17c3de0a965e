import { z } from '@hono/zod-openapi';
import { mostChosenTokens, TillerError, type Tokenizer } from '../../engine/core/index.ts';

/** Tokens by their ids, or by texts that are one token each. */
export const chosenTokensSchema = z
  .array(z.union([z.int().min(0), z.string().min(1).max(300)]))
  .max(mostChosenTokens)
  .openapi({
    example: [' Paris', 260],
    description: 'Ids, or texts of one token each: what is told of them everywhere.',
  });

/** Their ids. Throws `invalid_request`, naming the item, for a text of several tokens and for an id that is none. */
export function toTokenIds(tokens: readonly (string | number)[], tokenizer: Tokenizer, param: string): Int32Array {
  return Int32Array.from(tokens, (token, index) => toTokenId(token, tokenizer, `${param}[${index}]`));
}

function toTokenId(token: string | number, tokenizer: Tokenizer, param: string): number {
  const { vocabularySize } = tokenizer;
  if (typeof token === 'number') {
    if (token < vocabularySize) return token;
    throw invalid(`There is no token ${token}: ids go from 0 to ${vocabularySize - 1}.`, param);
  }
  const ids = tokenizer.encode(token, { addSpecialTokens: false });
  const [id] = ids;
  if (ids.length === 1 && id !== undefined) return id;
  const pieces = Array.from(ids.subarray(0, 8), (each) => JSON.stringify(tokenizer.tokenText(each))).join(', ');
  const spaced = tokenizer.encode(` ${token}`, { addSpecialTokens: false }).length === 1;
  const hint = spaced ? ` With a space before it, it is one: ${JSON.stringify(` ${token}`)}.` : '';
  throw invalid(
    `${JSON.stringify(token)} is ${ids.length} tokens (${pieces}): give one token, or its id.${hint}`,
    param,
  );
}

function invalid(message: string, param: string): TillerError {
  return new TillerError('invalid_request', message, { param });
}
