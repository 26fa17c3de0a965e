import { TillerError } from '../../engine/core/index.ts';
import type { SourceReading } from '../cofiring/cofiring-count.ts';
import type { Dictionary } from '../dictionary.ts';
import { countedTokens } from '../rank-activations.ts';
import { type CompareOptions, type Comparison, comparePairs } from './compare.ts';
import { CorrelationSums } from './correlation-sums.ts';

/** Texts as two sources read them, a text at a time; one reading where both are the same source. */
export type SourceReadings = AsyncIterable<readonly SourceReading[]>;

/** Tokens on which a feature has to fire to be compared: of a few anything correlates. */
export const leastFirings = 5;
/** Sums of eight bytes are held for each pair: a gibibyte. */
const mostPairs = 2 ** 27;

/**
 * Compares two dictionaries of one model by the Pearson correlations of their features' activations on texts, over the tokens that count
 * in both; features that fire on fewer than `leastFirings` of them are left out. Throws `unsupported` for too many features, before
 * anything is read, and `invalid_request` where no token counts or no feature fires often enough.
 */
export async function compareActivations(
  a: Pick<Dictionary, 'features'>,
  b: Pick<Dictionary, 'features'>,
  readings: SourceReadings,
  options: CompareOptions,
): Promise<Comparison> {
  if (a.features * b.features > mostPairs) {
    const mebibytes = Math.ceil((a.features * b.features * 8) / 2 ** 20);
    const message =
      `The sums of ${a.features} × ${b.features} features take up to ${mebibytes} MiB, and ${(mostPairs * 8) / 2 ** 20} MiB are the most. ` +
      `Compare smaller dictionaries.`;
    throw new TillerError('unsupported', message, { param: 'b' });
  }
  const sums = new CorrelationSums(a.features, b.features);
  for await (const [first, second = first] of readings) {
    if (!first || !second) throw new TillerError('internal', 'a text that no source has read');
    const masks = [first, second].map(({ activations, sinkNorm }) => countedTokens(activations, sinkNorm));
    const counted = (masks[0] ?? []).map((counts, t) => counts && masks[1]?.[t] === true);
    sums.add(first.activations, second.activations, counted);
    options.progress?.('reading', sums.tokens, null);
    if (options.pace?.isDue()) await options.pace.turn();
  }
  const correlations = await sums.correlations(leastFirings, options.pace);
  const { rows, columns, ofA, ofB } = correlations;
  if (rows === 0 || columns === 0) {
    const which = rows === 0 ? 'a' : 'b';
    const message = `On ${sums.tokens} tokens that count no feature of '${which}' fires ${leastFirings} times. Give more text.`;
    throw new TillerError('invalid_request', message, { param: 'texts' });
  }
  const found = await comparePairs(correlations, options);
  const inA = (row: number) => (row < 0 ? row : (ofA[row] as number));
  const inB = (column: number) => (column < 0 ? column : (ofB[column] as number));
  return {
    ...found,
    by: 'activation',
    featuresOfA: a.features,
    featuresOfB: b.features,
    tokens: sums.tokens,
    pairs: found.pairs.map((pair) => ({ ...pair, a: inA(pair.a), b: inB(pair.b) })),
    splitInB: renumberedSplits(found.splitInB, inA, inB),
    splitInA: renumberedSplits(found.splitInA, inB, inA),
    absorbedInB: renumberedAbsorbed(found.absorbedInB, inA, inB),
    absorbedInA: renumberedAbsorbed(found.absorbedInA, inB, inA),
  };
}

type Renumber = (place: number) => number;

function renumberedSplits({ count, best }: Comparison['splitInB'], own: Renumber, other: Renumber) {
  const parts = (each: (typeof best)[number]) => each.parts.map((part) => ({ ...part, feature: other(part.feature) }));
  return { count, best: best.map((each) => ({ feature: own(each.feature), parts: parts(each) })) };
}

function renumberedAbsorbed({ count, best }: Comparison['absorbedInB'], own: Renumber, other: Renumber) {
  return {
    count,
    best: best.map((each) => ({
      ...each,
      feature: own(each.feature),
      into: other(each.into),
      pairedWith: own(each.pairedWith),
    })),
  };
}
