import { z } from 'zod';
import type { NewLabel } from './store/index.ts';

const name = z.string().min(1).max(200);

/** One line of a label file, as `labels.jsonl` of a source folder and `tiller labels export` have it. */
export const labelLineSchema = z.object({
  index: z.int().nonnegative(),
  label: z.string().min(1).max(2000),
  /** How clear the theme is: the higher the clearer. Of the bundled labels: 3 one theme, 2 mostly, 1 mixed. */
  clarity: z.number().finite().nullish(),
  method: name.optional(),
  author: name.optional(),
  scores: z
    .array(
      z.object({
        method: name,
        author: name,
        score: z.number().finite(),
        judgements: z.int().positive().nullish(),
      }),
    )
    .max(100)
    .optional(),
});

export type LabelLine = z.infer<typeof labelLineSchema>;

/** Stands in for what lines do not say. */
export interface LabelDefaults {
  readonly method: string;
  readonly author: string;
}

export function fromLabelLine(line: LabelLine, { method, author }: LabelDefaults): NewLabel {
  return {
    feature: line.index,
    text: line.label,
    method: line.method ?? method,
    author: line.author ?? author,
    clarity: line.clarity ?? null,
    scores: (line.scores ?? []).map((score) => ({ ...score, judgements: score.judgements ?? null })),
  };
}

/** The line of a label; what is not known is left out. */
export function toLabelLine({ feature, text, method, author, clarity, scores }: NewLabel): LabelLine {
  return {
    index: feature,
    label: text,
    ...(clarity === null ? {} : { clarity }),
    method,
    author,
    ...(scores.length === 0
      ? {}
      : {
          scores: scores.map(({ judgements, ...score }) => ({
            ...score,
            ...(judgements === null ? {} : { judgements }),
          })),
        }),
  };
}
