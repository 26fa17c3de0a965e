import { z } from '@hono/zod-openapi';
import { TillerError } from '../../engine/core/index.ts';
import { decodeFloat32 } from '../http/float32.ts';
import { inlineVectorSchema } from '../http/steering-schema.ts';
import type { EvaluationSampling, TextTarget } from '../services.ts';
import { generationPromptSchema } from './generation-prompts.ts';
import { modelSchema } from './saved-schemas.ts';

const targetSchema = z
  .strictObject({
    name: z.string().min(1).max(100).optional().openapi({ description: 'What the answer calls it.' }),
    probe: z
      .strictObject({
        feature: z.string().min(1).optional(),
        vector: z.union([z.string().min(1), inlineVectorSchema]).optional(),
        hook_point: z.string().min(1).optional().openapi({ description: 'Of a vector that has several.' }),
      })
      .optional()
      .openapi({
        description:
          'Mean over the generated tokens of the stream along a direction (a saved vector or one in the request, at unit length), or of a feature’s activation, as the unsteered model reads the text: what was written and not what was added to the stream.',
      }),
    continuations: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(32)
      .optional()
      .openapi({
        description:
          'Log-probability that the steered reply begins with one of these texts; exact, whatever was sampled.',
        example: [' Yes', ' yes'],
      }),
    words: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(256)
      .optional()
      .openapi({
        description: 'Share of texts that say one of these words, whole and in whatever case.',
        example: ['ahoy', 'matey'],
      }),
  })
  .openapi('TextTarget', { description: 'Exactly one of `probe`, `continuations` and `words`.' });

/** What every request for steered texts has. */
export const textRequestFields = {
  model: modelSchema.nullish(),
  prompts: z.array(generationPromptSchema).min(1).max(256),
  seeds: z.array(z.int()).min(1).max(64).default([0]),
  max_tokens: z.int().min(1).max(2048).default(48),
  temperature: z.number().min(0).max(10).default(0.7),
  top_p: z.number().gt(0).max(1).default(1),
  repetition_penalty: z.number().gt(0).max(10).default(1),
  targets: z.array(targetSchema).max(8).default([]),
};

interface SamplingBody {
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly repetition_penalty: number;
}

export function toSampling(body: SamplingBody): EvaluationSampling {
  const { max_tokens: maxTokens, temperature, top_p: topP, repetition_penalty: repetitionPenalty } = body;
  return { maxTokens, temperature, topP, repetitionPenalty };
}

/** Targets as the port takes them. Throws `invalid_request` where not exactly one kind is given. */
export function toTargets(targets: readonly z.infer<typeof targetSchema>[]): readonly TextTarget[] {
  return targets.map((target, i) => {
    const param = `targets[${i}]`;
    const { probe, continuations, words } = target;
    const given = [probe, continuations, words].filter((one) => one !== undefined).length;
    const refuse = (message: string): never => {
      throw new TillerError('invalid_request', message, { param });
    };
    if (given !== 1)
      return refuse(`A target is exactly one of 'probe', 'continuations' and 'words'; this has ${given}.`);
    if (continuations) return { kind: 'continuations', name: target.name ?? 'continuations', continuations, param };
    if (words) return { kind: 'words', name: target.name ?? 'words', words };
    const { feature, vector, hook_point: hookPoint = null } = probe ?? {};
    if ((feature === undefined) === (vector === undefined))
      return refuse("A probe is exactly one of 'feature' and 'vector'.");
    const called = feature ?? (typeof vector === 'string' ? vector : 'probe');
    const inline = typeof vector === 'object' ? toInline(vector, `${param}.probe.vector.data`) : vector;
    return {
      kind: 'probe',
      name: target.name ?? called,
      ...(feature === undefined ? {} : { feature }),
      ...(inline === undefined ? {} : { vector: inline }),
      hookPoint,
      param: `${param}.probe`,
    };
  });
}

function toInline({ hook_point: hookPoint, data }: z.infer<typeof inlineVectorSchema>, param: string) {
  return { hookPoint, data: decodeFloat32(data, param) };
}
