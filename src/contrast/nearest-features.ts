import type { ContrastVector } from '../../routes/services.ts';
import { decoderDirections, nearestVectors, type Pace, type Registry, type Source } from '../../sae-registry/index.ts';

/** The features whose decoder rows have the largest cosine with a vector, of either sign, of the sources nearest to its hook point. */
export async function nearestFeatures(
  registry: Registry,
  { hookPoint, values }: { readonly hookPoint: string; readonly values: Float32Array },
  limit: number,
  pace: Pace,
): Promise<ContrastVector['nearest']> {
  if (limit === 0) return [];
  const found: ContrastVector['nearest'][number][] = [];
  for (const source of sourcesNear(registry.sources, hookPoint, values.length)) {
    const vectors = decoderDirections(source.dictionary);
    for (const sign of [1, -1]) {
      const direction = values.map((value) => sign * value);
      for (const { index, value } of await nearestVectors(direction, vectors, { limit, except: null, pace })) {
        if (value <= 0) continue;
        found.push({ ...registry.summary(source, index), hookPoint: source.hookPoint, cosine: sign * value });
      }
    }
  }
  return found.toSorted((a, b) => Math.abs(b.cosine) - Math.abs(a.cosine)).slice(0, limit);
}

/** Those at the hook point; where there are none, those at the nearest block. */
function sourcesNear(sources: readonly Source[], hookPoint: string, width: number): Source[] {
  const fitting = sources.filter(({ dictionary }) => dictionary.dOut === width);
  const here = fitting.filter((source) => source.hookPoint === hookPoint);
  if (here.length > 0) return here;
  const away = (other: string) => Math.abs(blockOf(other) - blockOf(hookPoint));
  const least = Math.min(...fitting.map((source) => away(source.hookPoint)));
  return fitting.filter((source) => away(source.hookPoint) === least);
}

function blockOf(hookPoint: string): number {
  return Number(/^blocks\.(\d+)\./.exec(hookPoint)?.[1] ?? -1);
}
