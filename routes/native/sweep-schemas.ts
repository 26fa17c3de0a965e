import { z } from '@hono/zod-openapi';
import { steeringUnits, TillerError } from '../../engine/core/index.ts';
import { withParam } from '../http/errors.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import { editSchema, namedPositions, rangeSchema } from '../http/steering-schema.ts';
import type { EditRequest, SweepRow, SweptSteering } from '../services.ts';
import { steeredTextSchema, toSteeredText } from './evaluation-schemas.ts';
import { textRequestFields } from './text-request.ts';

const names = z.array(z.string().min(1)).max(256).default([]);

export const sweepSchema = z
  .strictObject({
    ...textRequestFields,
    features: names.openapi({ description: 'Each a steering of its own, mode `add`.', example: ['17-res-4k/837'] }),
    vectors: names.openapi({ description: 'Saved vectors, likewise.' }),
    unit: z.enum(steeringUnits).nullish().openapi({ description: 'Of `features` and `vectors`.' }),
    positions: z
      .union([z.enum(namedPositions), rangeSchema])
      .default('all_but_first')
      .openapi({
        description: 'Of `features` and `vectors`.',
      }),
    steerings: z
      .array(z.strictObject({ name: z.string().min(1).max(100), edits: z.array(editSchema).min(1) }))
      .max(256)
      .default([])
      .openapi({ description: 'Steerings of several edits or other modes, their numbers at strength 1.' }),
    strengths: z
      .array(z.number())
      .min(1)
      .max(64)
      .openapi({ example: [0.5, 1, 1.5] }),
    control: z.boolean().default(true).openapi({ description: 'Answer every prompt without steering too.' }),
  })
  .openapi('SweepRequest');

export const sweepRowSchema = steeredTextSchema
  .extend({
    key: z.string().openapi({ example: '17-res-4k/837@1/prompt-0/seed-1' }),
    name: z.string().nullable().openapi({ description: 'Which steering; null: the unsteered control.' }),
    strength: z.number().nullable(),
    edits: z.array(z.unknown()).openapi({
      description:
        '`steering.edits` of a request that gives this text again, with its prompt, seed and sampling: numbers multiplied, vectors with versions.',
    }),
  })
  .openapi('SweepRow');

export const sweepAnswerSchema = z
  .object({
    model: z.string(),
    targets: z.array(z.string()).openapi({ description: 'What the scores are of, in their order.' }),
    texts: z.int(),
    rows: z.array(sweepRowSchema),
  })
  .openapi('SweepResponse');

type SweepBody = z.infer<typeof sweepSchema>;

/** Steerings as the port takes them. Throws `invalid_request` where there is none, and what is wrong with an edit. */
export function toSteerings(body: Omit<SweepBody, 'model' | 'prompts'>, maxEdits: number): readonly SweptSteering[] {
  const single = (kind: 'feature' | 'vector', name: string, param: string): SweptSteering => {
    const edit: EditRequest = {
      [kind]: name,
      mode: 'add',
      number: 1,
      unit: body.unit ?? null,
      positions: body.positions,
      skipSpecial: false,
      onlyIfActive: false,
      param,
    };
    return { name, edits: [edit] };
  };
  const steerings = [
    ...body.features.map((name, i) => single('feature', name, `features[${i}]`)),
    ...body.vectors.map((name, i) => single('vector', name, `vectors[${i}]`)),
    ...body.steerings.map(({ name, edits }, i) => {
      const none = { ofModel: null, byDefault: null };
      const rename = (param: string) => param.replace(/^steering\./, `steerings[${i}].`);
      const found = renamed(() => toSteeringRequest({ edits }, none, maxEdits)?.edits ?? [], rename);
      return { name, edits: found.map((edit) => ({ ...edit, param: rename(edit.param) })) };
    }),
  ];
  if (steerings.length > 0) return steerings;
  const message = "Nothing to sweep over: give 'features', 'vectors' or 'steerings'.";
  throw new TillerError('invalid_request', message, { param: 'steerings' });
}

function renamed<T>(work: () => T, rename: (param: string) => string): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof TillerError && error.param !== undefined ? withParam(error, rename(error.param)) : error;
  }
}

/** A row as it goes over the wire. */
export function toSweepRow({ key, steered, edits, ...text }: SweepRow): z.infer<typeof sweepRowSchema> {
  const { name = null, strength = null } = steered ?? {};
  return { key, name, strength, ...toSteeredText(text), edits: [...edits] };
}
