import type { Executor, LogitsRow, PositionLogits, PromptLogits } from '../../engine/index.ts';
import type { DirectionReading, TokenEffect, WrittenDirection } from '../../routes/services.ts';
import type { KeptTaps } from './kept-taps.ts';
import { unembedRows } from './unembed-rows.ts';

/** What the final norm divides a position by. */
export const finalScale = 'ln_final.hook_scale';

/**
 * What a direction writes to the logits at each position (direct logit attribution, Elhage et al. 2021, the norm's division taken as it
 * is there): coefficient / scale · (direction · gain) · unembedding. All but the first factor is the same everywhere, so it is made once.
 */
export async function readDirection(
  executor: Pick<Executor, 'unembed'>,
  { direction, hookPoint, coefficient }: WrittenDirection,
  given: {
    readonly kept: KeptTaps;
    readonly positions: readonly PositionLogits[];
    readonly logits: PromptLogits;
    readonly width: number;
    readonly signal: AbortSignal;
  },
): Promise<DirectionReading> {
  const { kept, positions, logits, width, signal } = given;
  const both = Float32Array.from([...direction, ...direction.map((value) => -value)]);
  const [effects] = await unembedRows(executor, 'direction', both, ([up, down]) => effectsOf(up, down, logits), {
    width,
    signal,
    group: 2,
  });
  if (!effects) throw new RangeError('a direction has no logits');
  const scales = kept.of(finalScale);
  const stream = kept.of(hookPoint);
  return {
    ...effects,
    positions: positions.map(({ position }, r) => ({
      position,
      coefficient:
        typeof coefficient === 'number'
          ? coefficient
          : activation(stream.subarray(r * width, (r + 1) * width), coefficient),
      scale: scales[r] as number,
    })),
  };
}

function activation(
  x: Float32Array,
  { direction, bias, threshold }: Exclude<WrittenDirection['coefficient'], number>,
): number {
  const value = x.reduce((sum, one, i) => sum + one * (direction[i] as number), bias);
  return value > threshold ? value : 0;
}

function effectsOf(
  up: LogitsRow | undefined,
  down: LogitsRow | undefined,
  { top, tokenIds }: PromptLogits,
): Omit<DirectionReading, 'positions'> {
  if (!up || !down) throw new RangeError('a direction has no logits');
  const whole = up.full();
  const first = ({ topTokenIds, topValues }: LogitsRow, sign: number): TokenEffect[] =>
    Array.from(topTokenIds.subarray(0, top), (tokenId, rank) => ({
      tokenId,
      effect: sign * (topValues[rank] as number),
    }));
  return {
    mean: whole.reduce((sum, value) => sum + value, 0) / whole.length,
    top: first(up, 1),
    bottom: first(down, -1),
    chosen: Array.from(tokenIds, (tokenId) => ({ tokenId, effect: whole[tokenId] as number })),
  };
}
