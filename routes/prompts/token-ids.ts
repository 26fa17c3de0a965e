import { TillerError } from '../../engine/core/index.ts';

/** Throws `invalid_request` where an id is not in the vocabulary. */
export function checkTokenIds(ids: readonly number[], vocabularySize: number, param: string): void {
  const index = ids.findIndex((id) => id >= vocabularySize);
  if (index < 0) return;
  throw new TillerError(
    'invalid_request',
    `Token id ${ids[index]} is not in the vocabulary, which has ${vocabularySize} tokens (0–${vocabularySize - 1}).`,
    { param: `${param}[${index}]` },
  );
}
