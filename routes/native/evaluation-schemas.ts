import { z } from '@hono/zod-openapi';
import { finishReasons } from '../../engine/core/index.ts';
import { steeringBlockSchema } from '../http/steering-schema.ts';
import type { DoseEvaluation, DosePoint, FluencyLimits, SteeredText, TextTarget } from '../services.ts';
import { textRequestFields } from './text-request.ts';

const finite = z.number();

/** What a request for a dose response has besides what is steered. */
export const doseFields = {
  ...textRequestFields,
  strengths: z
    .array(finite)
    .min(1)
    .max(64)
    .openapi({
      description: 'Each multiplies the numbers of the edits; the unsteered control is measured beside them.',
      example: [0.2, 0.4, 0.8],
    }),
  limits: z
    .strictObject({
      perplexity_ratio: z.number().gt(0).default(1.5),
      distinct_ratio: z.number().min(0).default(0.8),
      repeated_share: z.number().min(0).max(1).default(0.15),
    })
    .default({ perplexity_ratio: 1.5, distinct_ratio: 0.8, repeated_share: 0.15 })
    .openapi({
      description:
        'What counts as fluent, against the control: perplexity under the unsteered model at most so many times its, distinct trigrams at least so many times its, the share of a text in its longest repeat at most so much more.',
    }),
  refine: z.int().min(0).max(6).default(0).openapi({
    description:
      'How many times a strength half way between the strongest fluent one (0 where none is) and the next is measured too.',
  }),
  include_texts: z.boolean().default(true),
};

export const steeredTextSchema = z
  .object({
    prompt: z.int().openapi({ description: 'Which of the prompts, from 0.' }),
    seed: z.int(),
    text: z.string(),
    finish_reason: z.enum(finishReasons),
    tokens: z.int(),
    perplexity: z.number().nullable().openapi({ description: 'Of the text under the model without any steering.' }),
    distinct_trigrams: z.number().nullable(),
    longest_repeat: z
      .int()
      .openapi({ description: 'Tokens of the longest stretch that says again what was just said.' }),
    repeated_share: z.number(),
    relative_dose: z.number().nullable().openapi({ description: 'Mean ‖Δ‖/‖x‖ over the tokens written to.' }),
    scores: z.array(z.number().nullable()).openapi({ description: 'In the order of the targets.' }),
    steering: steeringBlockSchema,
  })
  .openapi('SteeredText');

const figures = {
  texts: z.int(),
  tokens: z.int(),
  perplexity: z.number().nullable(),
  distinct_trigrams: z.number().nullable(),
  longest_repeat: z.int(),
  repeated_share: z.number(),
  relative_dose: z.number().nullable(),
};
const spread = { target: z.string(), mean: z.number().nullable(), deviation: z.number().nullable(), count: z.int() };
const samples = z.array(steeredTextSchema).optional();

/** What one strength did. */
export const dosePointSchema = z.object({
  strength: z.number(),
  ...figures,
  perplexity_ratio: z.number().nullable(),
  effects: z.array(
    z.object({
      ...spread,
      change: z.number().nullable(),
      standard_error: z.number().nullable(),
      change_in_deviations: z.number().nullable().openapi({
        description: "In standard deviations of the control's texts.",
      }),
    }),
  ),
  fluent: z.boolean(),
  broken: z.array(z.string()).openapi({ description: 'Which limits it breaks.' }),
});

export const doseResponseSchema = z
  .object({
    model: z.string(),
    vector: z.string().optional().openapi({ description: '`name:version` that was evaluated.' }),
    control: z.object({ ...figures, targets: z.array(z.object(spread)), samples }),
    doses: z.array(dosePointSchema.extend({ samples })).openapi({ description: 'By strength, the smallest first.' }),
    strongest_fluent: z.number().nullable().openapi({
      description: 'The greatest strength that is fluent and so is every weaker one of its sign. Null: none is.',
    }),
    best: z.number().nullable().openapi({
      description: 'Of those the one that moves the first target upwards most. Null: none does.',
    }),
  })
  .openapi('DoseResponse');

/** A text as it goes over the wire. */
export function toSteeredText(text: SteeredText): z.infer<typeof steeredTextSchema> {
  const { finishReason, distinctTrigrams, longestRepeat, repeatedShare, relativeDose, scores, ...same } = text;
  return {
    ...same,
    finish_reason: finishReason,
    distinct_trigrams: distinctTrigrams,
    longest_repeat: longestRepeat,
    repeated_share: repeatedShare,
    relative_dose: relativeDose,
    scores: [...scores],
  };
}

/** A dose response as it goes over the wire. */
export function toDoseResponse(
  evaluation: DoseEvaluation,
  more: { readonly model: string; readonly vector?: string },
  targets: readonly TextTarget[],
  includeTexts: boolean,
): z.infer<typeof doseResponseSchema> {
  const { control, doses, strongestFluent, best } = evaluation;
  const named = (k: number) => targets[k]?.name ?? '';
  const shown = (texts: readonly SteeredText[]) => (includeTexts ? { samples: texts.map(toSteeredText) } : {});
  return {
    ...more,
    control: {
      ...toFigures(control),
      targets: control.targets.map((target, k) => ({ target: named(k), ...target })),
      ...shown(control.samples),
    },
    doses: doses.map((dose) => ({ ...toDosePoint(dose, targets), ...shown(dose.samples) })),
    strongest_fluent: strongestFluent,
    best,
  };
}

/** One strength as it goes over the wire. */
export function toDosePoint(dose: DosePoint, targets: readonly TextTarget[]): z.infer<typeof dosePointSchema> {
  return {
    strength: dose.strength,
    ...toFigures(dose),
    perplexity_ratio: dose.perplexityRatio,
    effects: dose.effects.map(({ mean, deviation, count, change, standardError, changeInDeviations }, k) => ({
      ...{ target: targets[k]?.name ?? '', mean, deviation, count, change },
      standard_error: standardError,
      change_in_deviations: changeInDeviations,
    })),
    fluent: dose.fluent,
    broken: [...dose.broken],
  };
}

interface LimitsBody {
  readonly perplexity_ratio: number;
  readonly distinct_ratio: number;
  readonly repeated_share: number;
}

export function toLimits(limits: LimitsBody): FluencyLimits {
  return {
    perplexityRatio: limits.perplexity_ratio,
    distinctRatio: limits.distinct_ratio,
    repeatedShare: limits.repeated_share,
  };
}

function toFigures(of: Omit<DosePoint, 'strength' | 'perplexityRatio' | 'effects' | 'fluent' | 'broken'>) {
  return {
    texts: of.texts,
    tokens: of.tokens,
    perplexity: of.perplexity,
    distinct_trigrams: of.distinctTrigrams,
    longest_repeat: of.longestRepeat,
    repeated_share: of.repeatedShare,
    relative_dose: of.relativeDose,
  };
}
