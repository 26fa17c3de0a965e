import { z } from 'zod';
import type { FeatureExample, FeatureFigures, NewLabel } from '../../store/index.ts';

const mostItems = 10_000;
const index = z.union([
  z.int().nonnegative(),
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number),
]);
const owner = { modelId: z.string(), layer: z.string(), index };
const number = z.number();
const numbers = z.array(number).max(mostItems);
const texts = z.array(z.string()).max(mostItems);

/** A line of `features/`: Neuronpedia's table Neuron. Fields that Tiller has no use for are passed over. */
export const featureRow = z.object({
  ...owner,
  maxActApprox: number.nonnegative().nullish(),
  hookName: z.string().nullish(),
  frac_nonzero: number.min(0).max(1).nullish(),
  freq_hist_data_bar_heights: numbers.nullish(),
  freq_hist_data_bar_values: numbers.nullish(),
  pos_str: texts.nullish(),
  neg_str: texts.nullish(),
});

/** A line of `activations/`: one passage. */
export const activationRow = z
  .object({ ...owner, tokens: texts, values: numbers, maxValue: number })
  .refine(({ tokens, values }) => tokens.length === values.length, { path: ['values'], error: 'must be one a token' });

/** A line of `explanations/`: one label. */
export const explanationRow = z.object({
  ...owner,
  description: z.string().trim().min(1).max(2000),
  typeName: z.string().nullish(),
  explanationModelName: z.string().nullish(),
  authorId: z.string().nullish(),
  scores: z
    .array(
      z.object({
        value: number,
        explanationScoreTypeName: z.string().nullish(),
        explanationScoreModelName: z.string().nullish(),
      }),
    )
    .max(100)
    .nullish(),
});

export type FeatureRow = z.infer<typeof featureRow>;
export type ActivationRow = z.infer<typeof activationRow>;
export type ExplanationRow = z.infer<typeof explanationRow>;

/**
 * Figures of a feature. An export has no percentiles: p999 is the upper edge of the bar of its histogram (of non-zero
 * activations) in which the 99.9th percentile lies, the mean is taken from the same bars. Null where it fires and there is no
 * histogram.
 */
export function toFigures(row: FeatureRow): FeatureFigures | null {
  const heights = row.freq_hist_data_bar_heights ?? [];
  const middles = row.freq_hist_data_bar_values ?? [];
  const bars = heights.flatMap((height, i) => {
    const middle = middles[i] ?? 0;
    return height > 0 && middle > 0 ? [{ height, middle }] : [];
  });
  const count = bars.reduce((sum, { height }) => sum + height, 0);
  const figures = { feature: row.index, density: row.frac_nonzero ?? 0, ...logits(row) };
  if (count === 0) {
    const fires = (row.maxActApprox ?? 0) > 0 || (row.frac_nonzero ?? 0) > 0;
    return fires ? null : { ...figures, density: 0, max: 0, p999: 0, mean: 0, histogram: [] };
  }
  const width = middles.length > 1 ? (middles[1] as number) - (middles[0] as number) : 0;
  const edge = Math.max(...bars.map(({ middle }) => middle)) + width / 2;
  const max = row.maxActApprox || edge;
  const histogram = new Array<number>(heights.length).fill(0);
  for (const { height, middle } of bars) {
    const bin = Math.min(heights.length - 1, Math.floor((middle / max) * heights.length));
    histogram[bin] = (histogram[bin] as number) + height;
  }
  const mean = bars.reduce((sum, { height, middle }) => sum + height * middle, 0) / count;
  return { ...figures, max, p999: Math.min(max, middleAt(bars, 0.999 * count) + width / 2), mean, histogram };
}

/** The middle of the bar in which the `count`-th value lies. */
function middleAt(bars: readonly { readonly height: number; readonly middle: number }[], count: number): number {
  let below = 0;
  for (const { height, middle } of bars) {
    below += height;
    if (below >= count) return middle;
  }
  return bars.at(-1)?.middle ?? 0;
}

export function toExample({ tokens, values, maxValue }: ActivationRow): FeatureExample {
  return { tokens, values: Float32Array.from(values), peak: maxValue };
}

export function toLabel(row: ExplanationRow): NewLabel {
  return {
    feature: row.index,
    text: row.description,
    method: row.typeName || 'neuronpedia',
    author: row.explanationModelName || row.authorId || 'neuronpedia',
    clarity: null,
    scores: (row.scores ?? []).map((score) => ({
      method: score.explanationScoreTypeName || 'neuronpedia',
      author: score.explanationScoreModelName || 'neuronpedia',
      score: score.value,
      judgements: null,
    })),
  };
}

function logits({ pos_str, neg_str }: FeatureRow): Pick<FeatureFigures, 'topLogits' | 'bottomLogits'> {
  return { ...(pos_str ? { topLogits: pos_str } : {}), ...(neg_str ? { bottomLogits: neg_str } : {}) };
}
