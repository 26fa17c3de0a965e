import { randomUUID } from 'node:crypto';
import {
  type Edit,
  type EditReport,
  type GenerateRequest,
  type GenerationEvent,
  type PositionContext,
  type RuleReport,
  type SamplingParameters,
  type StopRules,
  TillerError,
} from '../../engine/core/index.ts';
import type { ClientPresence } from '../http/cancel.ts';
import { withParam } from '../http/errors.ts';
import { type Merged, mergeByArrival } from '../http/merge.ts';
import type { Warning } from '../http/router.ts';
import { toSteeringRequest } from '../http/steering-request.ts';
import type { SteeringBody } from '../http/steering-schema.ts';
import type { UseModel } from '../http/use-model.ts';
import type { ModelService, ResolvedSteering, Services, SteeringBlock, SteeringRequest } from '../services.ts';

/** One answer in the making: n choices for each prompt, every choice one engine request. */
export interface Generation {
  readonly id: string;
  readonly createdUnixSeconds: number;
  readonly model: ModelService;
  /** As the client wrote it, profile included. */
  readonly modelName: string;
  /** In the order of choice indices: choice j of prompt i is i·n + j. */
  readonly requests: readonly GenerateRequest[];
  /** Of each prompt; its requests stand together. */
  readonly choices: number;
  /** Tokens of all prompts, each counted once. */
  readonly promptTokens: number;
  readonly steering: ResolvedSteering | null;
  /** Of each prompt's first choice. */
  readonly seed: number;
  readonly warnings: readonly Warning[];
}

/** A model and the steering that a request asks for, not looked up yet: a range is checked against the prompt. */
export interface Target {
  readonly model: ModelService;
  readonly modelName: string;
  readonly steering: SteeringRequest | null;
  /** Where the profile was named, for errors. */
  readonly profileParam: 'model' | 'steering.profile';
}

/**
 * The model and steering of a request. Throws `model_not_found` and `profile_not_found` and what else `use` refuses, with param `model`, and what is wrong
 * with the shape of the steering.
 */
export async function resolveTarget(
  services: Pick<Services, 'limits'>,
  use: UseModel,
  body: { readonly model?: string | null; readonly steering?: SteeringBody | null },
): Promise<Target> {
  const { model, profile } = await use(body.model ?? null);
  return {
    model,
    modelName: body.model ?? model.card.id,
    steering: toSteeringRequest(
      body.steering,
      { ofModel: profile, byDefault: model.defaultProfile() },
      services.limits.maxEdits,
    ),
    profileParam: body.steering?.profile ? 'steering.profile' : 'model',
  };
}

function resolveSteering(target: Target, prompts: readonly PromptPlan[]): ResolvedSteering | null {
  if (!target.steering) return null;
  try {
    const lengths = prompts.map(({ tokenIds }) => tokenIds.length);
    return target.model.resolveSteering(target.steering, {
      shortest: Math.min(...lengths),
      longest: Math.max(...lengths),
    });
  } catch (error) {
    const isProfile = error instanceof TillerError && error.code === 'profile_not_found';
    throw isProfile ? withParam(error, target.profileParam) : error;
  }
}

/** One prompt of a generation. */
export interface PromptPlan {
  readonly tokenIds: Int32Array;
  readonly stop: StopRules;
  readonly positions: (edits: readonly Edit[]) => PositionContext;
}

/**
 * Lays out the engine requests. Choice j of every prompt samples with seed + j, so that a prompt gives the same texts whatever
 * other prompts stand beside it in the request.
 */
export function planGeneration(options: {
  readonly idPrefix: string;
  readonly target: Target;
  readonly prompts: readonly PromptPlan[];
  readonly choices: number;
  readonly sampling: SamplingParameters;
  readonly logprobs: number | null;
  readonly promptLogprobs: number | null;
  /** Milliseconds since the epoch; null for none. */
  readonly deadline: number | null;
  readonly warnings: readonly Warning[];
}): Generation {
  const { target, prompts, sampling } = options;
  const id = `${options.idPrefix}-${randomUUID()}`;
  const steering = resolveSteering(target, prompts);
  const edits = steering?.edits ?? [];
  const rules = steering?.rules;
  const requests = prompts.flatMap((prompt, promptIndex): GenerateRequest[] => {
    const positionContext = prompt.positions([...edits, ...(rules?.rules.flatMap((rule) => rule.edits) ?? [])]);
    return Array.from({ length: options.choices }, (_, choice) => ({
      id: `${id}-${promptIndex * options.choices + choice}`,
      promptTokenIds: prompt.tokenIds,
      sampling: { ...sampling, seed: sampling.seed + choice },
      stop: prompt.stop,
      logprobs: options.logprobs,
      promptLogprobs: options.promptLogprobs,
      edits,
      ...(rules ? { rules } : {}),
      positionContext,
      deadline: options.deadline,
      signal: null,
    }));
  });
  return {
    id,
    createdUnixSeconds: Math.floor(Date.now() / 1000),
    model: target.model,
    modelName: target.modelName,
    requests,
    choices: options.choices,
    promptTokens: prompts.reduce((sum, prompt) => sum + prompt.tokenIds.length, 0),
    steering,
    seed: sampling.seed,
    warnings: options.warnings,
  };
}

/**
 * Submits every choice and gives their events as they arrive; `index` is the choice index. All choices are admitted or none:
 * a refusal or a failure of one stops the others, as does leaving early.
 */
export async function* runGeneration(
  generation: Generation,
  presence: ClientPresence,
): AsyncGenerator<Merged<GenerationEvent>> {
  let complete = false;
  try {
    const { model } = generation;
    const sources = generation.requests.map((request) => model.submit({ ...request, signal: presence.signal }));
    for (let at = 0; at < sources.length; at += generation.choices) model.promptAccepted?.(generation.choices);
    yield* mergeByArrival(sources);
    complete = true;
  } finally {
    if (!complete) presence.abort();
  }
}

/** What a steered answer says was done, from each choice's reports of edits and of rules; null for an answer that was not steered. */
export function steeringBlock(
  generation: Generation,
  reports: readonly (readonly EditReport[])[],
  rules: readonly (readonly RuleReport[])[],
): SteeringBlock | null {
  if (!generation.steering) return null;
  return generation.steering.report(
    reports,
    generation.requests.map((request) => request.sampling.seed),
    rules,
  );
}
