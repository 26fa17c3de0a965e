import { TillerError } from '../../engine/core/index.ts';

/**
 * Features as a person writes them: `7`, `7,12`, `100-199`, ends included; ascending, each once. Throws `invalid_request` for
 * anything else and `feature_not_found` beyond the source's `features`.
 */
export function parseFeatureRanges(text: string, features: number, param: string): number[] {
  const chosen = new Set<number>();
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to) {
      throw new TillerError('invalid_request', `'${part}' is no range of features. Write 7 or 100-199, with commas.`, {
        param,
      });
    }
    if (to >= features) {
      throw new TillerError('feature_not_found', `There is no feature ${to}: there are 0 to ${features - 1}.`, {
        param,
      });
    }
    for (let feature = from; feature <= to; feature++) chosen.add(feature);
  }
  return [...chosen].sort((a, b) => a - b);
}
