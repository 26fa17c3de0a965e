import { z } from 'zod';
import type { LineShape } from './json-lines.ts';
import type { FeatureExample, FeatureFigures } from './store/index.ts';

const amount = z.number().nonnegative().finite();
const mostItems = 1000;
/** Lists are checked by plain loops: item by item through the schema, a start with three bundled sources takes 0.15 s longer. */
const tokens = z.custom<string[]>(isTexts, `must be at most ${mostItems} texts`);
const amounts = z.custom<number[]>(isAmounts, `must be at most ${mostItems} numbers of 0 or more`);
const numbers = z.custom<number[]>(isNumbers, `must be at most ${mostItems} numbers`);

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length <= mostItems;
}

function isTexts(value: unknown): value is string[] {
  return isList(value) && value.every((item) => typeof item === 'string');
}

function isNumbers(value: unknown): value is number[] {
  return isList(value) && value.every((item) => typeof item === 'number' && Number.isFinite(item));
}

function isAmounts(value: unknown): value is number[] {
  return isNumbers(value) && value.every((item) => item >= 0);
}

const exampleSchema = z
  .object({ tokens, value: z.number().finite(), values: numbers.optional() })
  .refine(({ tokens: texts, values }) => values === undefined || values.length === texts.length, {
    path: ['values'],
    error: 'must be one for each token',
  });

/** One line of `features.jsonl`. Activations in the dictionary's own units. */
export const featureLineSchema = z.object({
  index: z.int().nonnegative(),
  /** Share of tokens on which it is active. */
  density: amount.max(1),
  max: amount,
  /** 99.9th percentile of its non-zero activations. */
  p999: amount,
  /** Of non-zero activations. */
  mean: amount,
  /** Counts of non-zero activations in equal bins from 0 to max. */
  histogram: amounts,
  top_logits: tokens.default([]),
  bottom_logits: tokens.default([]),
  top_tokens: tokens.default([]),
  /** Passages with the activation at their strongest token, and at each where it is known. */
  examples: z.array(exampleSchema).max(mostItems).default([]),
});

export type FeatureLine = z.infer<typeof featureLineSchema>;

/** The schema, and a check by hand of lines that leave nothing out: through the schema alone reading a million takes half a minute longer. */
export const featureLineShape: LineShape<FeatureLine> = { schema: featureLineSchema, isPlain: isPlainLine };

function isPlainLine(value: unknown): value is FeatureLine {
  if (!isObject(value)) return false;
  const { index, density, max, p999, mean, histogram, top_logits, bottom_logits, top_tokens, examples } = value;
  return (
    Number.isSafeInteger(index) &&
    (index as number) >= 0 &&
    isAmount(density) &&
    density <= 1 &&
    isAmount(max) &&
    isAmount(p999) &&
    isAmount(mean) &&
    isAmounts(histogram) &&
    isTexts(top_logits) &&
    isTexts(bottom_logits) &&
    isTexts(top_tokens) &&
    isList(examples) &&
    examples.every(isPlainExample)
  );
}

function isPlainExample(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { tokens: texts, value: peak, values } = value;
  if (!isTexts(texts) || !Number.isFinite(peak)) return false;
  return values === undefined || (isNumbers(values) && values.length === texts.length);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

export function figuresOf(line: FeatureLine): FeatureFigures {
  const { index: feature, density, max, p999, mean, histogram } = line;
  const lists = { topLogits: line.top_logits, bottomLogits: line.bottom_logits, topTokens: line.top_tokens };
  return { feature, density, max, p999, mean, histogram, ...lists };
}

export function examplesOfLine({ examples }: FeatureLine): FeatureExample[] {
  return examples.map(({ tokens: texts, value, values }) => ({
    tokens: texts,
    values: values === undefined ? null : Float32Array.from(values),
    peak: value,
  }));
}
