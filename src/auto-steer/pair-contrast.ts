import type { Contrast, ContrastItem } from '../../routes/services.ts';
import type { AutoSteerContext } from './chat-tokens.ts';
import type { TokenPair } from './written-pairs.ts';

/** Features that are looked at of each source, by what they read; and by their decoder rows. */
const lookedAt = 12;

/** What tells wanted replies from others, read over their own tokens behind a prompt that asks for nothing; pairs are held out whole. */
export function contrastPairs(
  pairs: readonly TokenPair[],
  context: AutoSteerContext,
  more: {
    readonly saveAs: { readonly name: string; readonly description: string } | null;
    readonly signal: AbortSignal;
  },
): Promise<Contrast> {
  const items = (kind: 'positive' | 'negative') =>
    pairs.map(({ asked, ...pair }, i): ContrastItem => {
      const reply = kind === 'positive' ? pair.positiveTokens : pair.negativeTokens;
      const from = asked.tokenIds.length;
      const tokenIds = new Int32Array(from + reply.length);
      tokenIds.set(asked.tokenIds);
      tokenIds.set(reply, from);
      const own = { from, to: tokenIds.length };
      return { tokenIds, own, answer: null, topic: `pair-${i}`, param: `pairs[${i}].${kind}` };
    });
  return context.contrast({
    positive: items('positive'),
    negative: items('negative'),
    paired: true,
    method: 'difference_of_means',
    positions: 'mean',
    hookPoints: null,
    folds: Math.min(4, pairs.length),
    features: context.registry.sources.length === 0 ? null : { sources: null, by: 'auroc', limit: lookedAt },
    nearest: lookedAt,
    ...more,
  });
}
