import { randomUUID } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { type GenerateRequest, TillerError } from '../../engine/core/index.ts';
import { withParam } from '../http/errors.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import { type SteeringBody, steeringSchema } from '../http/steering-schema.ts';
import type { UseModel } from '../http/use-model.ts';
import {
  type InspectedPart,
  inspectedParts,
  type ModelService,
  type ResolvedSteering,
  type Services,
} from '../services.ts';
import { type ReadingGeneration, readingGenerationSchema, toReplyRules } from './reading-generation.ts';
import { type ReadingInputsBody, readingInputFields } from './reading-input-schemas.ts';
import { inputPositions, type ReadingInput, toReadingInputs } from './reading-inputs.ts';

/** Tokens that one request may read, of all inputs together with what is generated for them. */
export const mostReadTokens = 65_536;

/** Fields of a body that has inputs read: which, under what steering, and of which part. */
export const readingPlanFields = {
  model: z.string().min(1).optional().openapi({
    description: '`name` or `name@profile[:version]`; the first model where absent.',
    example: 'smollm2-135m-instruct',
  }),
  ...readingInputFields,
  over: z.enum(inspectedParts).default('prompt').openapi({
    description:
      'Which tokens are read: those of the inputs, those of replies that are generated to them (but a reply’s last token, which the model never reads), or both.',
  }),
  generation: readingGenerationSchema
    .optional()
    .openapi({ description: 'How replies are made; for `generated` and `both`.' }),
  steering: steeringSchema.nullish(),
};

interface ReadingPlanBody extends ReadingInputsBody {
  readonly model?: string;
  readonly over: InspectedPart;
  readonly generation?: ReadingGeneration;
  readonly steering?: SteeringBody | null;
}

/** Everything that was asked to be read, as engine requests that do not say yet what is read of them. */
export interface ReadingPlan {
  readonly model: ModelService;
  readonly over: InspectedPart;
  readonly inputs: readonly ReadingInput[];
  /** One for each input. */
  readonly requests: readonly GenerateRequest[];
  readonly steering: ResolvedSteering | null;
  /** Of the first reply; null where nothing is generated. */
  readonly seed: number | null;
  /** How many of the requests should be with the engine at once. */
  readonly together: number;
}

/**
 * Encodes the inputs and looks the steering up; refuses everything that can be refused before anything is read. Throws what
 * `toReadingInputs`, `toReplyRules`, `toSteeringRequest` and `ModelService.resolveSteering` throw.
 */
export async function planReading(
  services: Services,
  use: UseModel,
  body: ReadingPlanBody,
  signal: AbortSignal,
): Promise<ReadingPlan> {
  const { over } = body;
  if (over === 'prompt' && body.generation !== undefined) {
    throw new TillerError('invalid_request', '\'generation\' needs \'over\': "generated" or "both".', {
      param: 'generation',
    });
  }
  const { model, profile } = await use(body.model ?? null);
  const profiles = { ofModel: profile, byDefault: model.defaultProfile() };
  const asked = toSteeringRequest(body.steering, profiles, services.limits.maxEdits);
  const generates = over !== 'prompt';
  const generation = generates ? (body.generation ?? readingGenerationSchema.parse({})) : null;
  const options = { signal, mostTokens: mostReadTokens, addGenerationPrompt: generates };
  const inputs = await toReadingInputs(model, body, options);
  const { sampling, stop } = toReplyRules(generation, inputs, model, services.limits);
  const lengths = inputs.map(({ tokenIds }) => tokenIds.length);
  const whole = lengths.reduce((sum, length) => sum + length + stop.maxTokens, 0);
  if (whole > mostReadTokens) {
    const message = `The inputs and their replies could have ${whole} tokens together; ${mostReadTokens} can be read at once.`;
    throw new TillerError('invalid_request', message, { param: 'generation.max_tokens' });
  }
  const steering =
    asked &&
    resolved(
      () => model.resolveSteering(asked, { shortest: Math.min(...lengths), longest: Math.max(...lengths) }),
      body,
    );
  const edits = steering?.edits ?? [];
  const id = `reading-${randomUUID()}`;
  return {
    model,
    over,
    inputs,
    steering,
    seed: generates ? sampling.seed : null,
    // what only reads has its steps for itself: more at once would read no faster, and make others wait
    together: generates ? Math.max(1, Math.min(8, Math.floor(model.card.capacity.rows / 2))) : 4,
    requests: inputs.map((input, index) => ({
      id: `${id}-${index}`,
      promptTokenIds: input.tokenIds,
      sampling: { ...sampling, seed: sampling.seed + index },
      stop,
      logprobs: null,
      promptLogprobs: null,
      edits,
      positionContext: inputPositions(input, model, edits),
      deadline: null,
      signal,
    })),
  };
}

/** A profile that is not there was named in `steering` or by the model's name. */
function resolved(work: () => ResolvedSteering, { steering }: ReadingPlanBody): ResolvedSteering {
  try {
    return work();
  } catch (error) {
    const isProfile = error instanceof TillerError && error.code === 'profile_not_found';
    throw isProfile ? withParam(error, steering?.profile ? 'steering.profile' : 'model') : error;
  }
}
