import type { PositionLogits, Tokenizer } from '../../engine/core/index.ts';
import type { DirectionReading, LogitsReading, TokenEffect, WrittenDirection } from '../services.ts';
import type { LogitsAnswer } from './logits-schemas.ts';

type PositionBody = LogitsAnswer['inputs'][number]['positions'][number];
type ThroughBody = NonNullable<LogitsAnswer['inputs'][number]['through']>[number];

/** A position's logits as answers tell them. */
export function toPosition(row: PositionLogits, chosen: Int32Array, tokenizer: Tokenizer): PositionBody {
  const { position, logSumExp, topTokenIds, topValues, values } = row;
  const told = (id: number, logit: number) => ({
    id,
    token: tokenizer.tokenText(id),
    logit,
    probability: Math.exp(logit - logSumExp),
  });
  return {
    position,
    log_sum_exp: logSumExp,
    top: Array.from(topTokenIds, (id, rank) => told(id, topValues[rank] as number)),
    tokens: Array.from(chosen, (id, at) => told(id, values[at] as number)),
  };
}

/** The lens's part of an answer. */
export function toLens(lens: LogitsReading['lens'], chosen: Int32Array, tokenizer: Tokenizer) {
  return lens.map(({ hookPoint, positions }) => ({
    hook_point: hookPoint,
    positions: positions.map((row) => toPosition(row, chosen, tokenizer)),
  }));
}

/** What a direction writes, as answers tell it. */
export function toThrough(
  { target, hookPoint }: WrittenDirection,
  { mean, top, bottom, chosen, positions }: DirectionReading,
  tokenizer: Tokenizer,
): ThroughBody {
  const told = ({ tokenId, effect }: TokenEffect) => ({ id: tokenId, token: tokenizer.tokenText(tokenId), effect });
  return {
    target,
    hook_point: hookPoint,
    mean,
    top: top.map(told),
    bottom: bottom.map(told),
    tokens: chosen.map(told),
    positions: positions.map(({ position, coefficient, scale }) => ({
      position,
      coefficient,
      scale,
      logits: chosen.map(({ effect }) => (effect * coefficient) / scale),
    })),
  };
}
