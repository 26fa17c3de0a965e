import type { PositionLogits, Tokenizer } from '../../engine/core/index.ts';
import type { ScoredInput } from './log-probability-schemas.ts';
import type { ReadToken } from './reading-input-schemas.ts';

/** Predictions of a text's tokens: row r is of token r + 1. */
export interface Predictions {
  readonly rows: readonly PositionLogits[];
  /** The same without steering, and how far the two are apart; null where that was not asked for. */
  readonly unsteered: { readonly rows: readonly PositionLogits[]; readonly divergence: readonly number[] } | null;
}

/** The score of a text whose tokens count from `from` on, at least one. */
export function scoreText(
  tokens: readonly ReadToken[],
  { rows, unsteered }: Predictions,
  { from, top, tokenizer }: { readonly from: number; readonly top: number; readonly tokenizer: Tokenizer },
): ScoredInput {
  const counted = tokens.length - from;
  const divergence = unsteered?.divergence.slice(from - 1) ?? [];
  return {
    ...score(rows.slice(from - 1)),
    counted,
    tokens: tokens.map((token, position) => {
      const row = rows[position - 1];
      return {
        ...token,
        logprob: row ? logprobOf(row) : null,
        rank: row?.next?.rank ?? null,
        ...(top > 0 ? { top: row ? likeliest(row, tokenizer) : [] } : {}),
        ...(unsteered ? compared(unsteered, position) : {}),
      };
    }),
    ...(unsteered
      ? {
          unsteered: score(unsteered.rows.slice(from - 1)),
          kl: {
            mean: divergence.reduce((sum, value) => sum + value, 0) / counted,
            max: divergence.reduce((most, value) => Math.max(most, value), 0),
          },
        }
      : {}),
  };
}

function compared({ rows, divergence }: NonNullable<Predictions['unsteered']>, position: number) {
  const row = rows[position - 1];
  return { unsteered_logprob: row ? logprobOf(row) : null, kl: divergence[position - 1] ?? null };
}

function score(rows: readonly PositionLogits[]) {
  const sum = rows.reduce((total, row) => total + logprobOf(row), 0);
  const mean = sum / rows.length;
  return { sum, mean, perplexity: Math.exp(-mean), greedy: rows.every(({ next }) => next?.rank === 0) };
}

function logprobOf({ next, logSumExp }: PositionLogits): number {
  return (next?.logit ?? Number.NaN) - logSumExp;
}

function likeliest({ topTokenIds, topValues, logSumExp }: PositionLogits, tokenizer: Tokenizer) {
  return Array.from(topTokenIds, (id, rank) => ({
    id,
    token: tokenizer.tokenText(id),
    logprob: (topValues[rank] as number) - logSumExp,
  }));
}
