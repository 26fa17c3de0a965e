import { randomInt } from 'node:crypto';
import { type SamplingParameters, type StopRules, TillerError } from '../../engine/core/index.ts';
import { checkTokenIds } from '../prompts/token-ids.ts';
import type { GenerationFields } from './schemas/request-fields.ts';

/**
 * Sampling parameters with OpenAI's defaults: temperature 1, everything else off. A top_p of 0 leaves only the most likely
 * token, which is top_k 1. The seed is drawn where none is given; callers derive each choice's seed from it.
 */
export function toSampling(body: GenerationFields, vocabularySize: number): SamplingParameters {
  const nucleusOfOne = body.top_p === 0;
  return {
    temperature: body.temperature ?? 1,
    topP: nucleusOfOne ? 1 : (body.top_p ?? 1),
    topK: nucleusOfOne ? 1 : Math.max(0, body.top_k ?? 0),
    minP: body.min_p ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    frequencyPenalty: body.frequency_penalty ?? 0,
    presencePenalty: body.presence_penalty ?? 0,
    logitBias: toLogitBias(body.logit_bias ?? {}, vocabularySize),
    seed: body.seed ?? randomInt(2 ** 32),
  };
}

/** Stop rules; `maxTokens` as chosen by `chooseMaxTokens`. */
export function toStopRules(body: GenerationFields, maxTokens: number, vocabularySize: number): StopRules {
  const minTokens = body.min_tokens ?? 0;
  if (minTokens > maxTokens) {
    const message = `'min_tokens' is ${minTokens}, more than the ${maxTokens} tokens the reply may have.`;
    throw new TillerError('invalid_request', message, { param: 'min_tokens' });
  }
  const stop = body.stop ?? [];
  const tokenIds = body.stop_token_ids ?? [];
  checkTokenIds(tokenIds, vocabularySize, 'stop_token_ids');
  return {
    maxTokens,
    minTokens,
    strings: typeof stop === 'string' ? [stop] : stop,
    tokenIds,
    ignoreEos: body.ignore_eos ?? false,
    includeStopString: body.include_stop_str_in_output ?? false,
  };
}

/** When the request is given up, in milliseconds since the epoch; null where it asks for no deadline. */
export function toDeadline({ timeout_seconds: seconds }: GenerationFields): number | null {
  return typeof seconds === 'number' ? Date.now() + seconds * 1000 : null;
}

/**
 * How many tokens a reply may have: what was asked for, or what fits behind the prompt and under the limit where nothing
 * was. Throws `context_length_exceeded` and, for more than a reply may have at all, `invalid_request`, with the limit.
 */
export function chooseMaxTokens(
  promptTokens: number,
  requested: number | null,
  contextLength: number,
  maxReplyTokens: number | null,
  param: { readonly prompt: string; readonly maxTokens: string },
): number {
  const room = contextLength - promptTokens;
  if (room < 0 || (room === 0 && requested === null)) {
    const message = `The prompt has ${promptTokens} tokens and the context holds ${contextLength}, reply included: shorten it.`;
    throw new TillerError('context_length_exceeded', message, { param: param.prompt });
  }
  if (requested !== null && requested > room) {
    const message =
      `${promptTokens} prompt tokens and ${requested} to generate are ${promptTokens + requested}; ` +
      `the context holds ${contextLength}. Ask for at most ${room}, or shorten the prompt.`;
    throw new TillerError('context_length_exceeded', message, { param: param.maxTokens });
  }
  const most = maxReplyTokens ?? contextLength;
  if (requested !== null && requested > most) {
    const message = `'${param.maxTokens}' is ${requested}; a reply here may have ${most} tokens at most: ask for fewer.`;
    throw new TillerError('invalid_request', message, { param: param.maxTokens });
  }
  return requested ?? Math.min(room, most);
}

/** Number of choices; refuses more than the limit over all prompts. */
export function toChoices(n: number | null | undefined, prompts: number, maxChoices: number): number {
  const choices = n ?? 1;
  if (choices * prompts > maxChoices) {
    const message = `${prompts} prompt(s) with n = ${choices} are ${prompts * choices} choices; the limit is ${maxChoices} a request: ask for fewer at once.`;
    throw new TillerError('invalid_request', message, { param: prompts > 1 ? 'prompt' : 'n' });
  }
  return choices;
}

/** For each field that is not supported, whether a value asks for nothing and may pass. Null and absent always may. */
const harmless: Record<string, (value: unknown) => boolean> = {
  tools: isEmpty,
  functions: isEmpty,
  tool_choice: (value) => value === 'none',
  function_call: (value) => value === 'none',
  response_format: (value) => typeof value === 'object' && value !== null && Reflect.get(value, 'type') === 'text',
  modalities: (value) => Array.isArray(value) && value.every((modality) => modality === 'text'),
  suffix: (value) => value === '',
  skip_special_tokens: (value) => value === true,
  use_beam_search: (value) => value === false,
  bad_words: isEmpty,
  allowed_token_ids: () => false,
  logits_processors: isEmpty,
  prompt_logprobs: () => false,
  prompt_embeds: () => false,
  structured_outputs: () => false,
  guided_json: () => false,
  guided_regex: () => false,
  guided_choice: () => false,
  guided_grammar: () => false,
  audio: () => false,
  prediction: () => false,
  web_search_options: () => false,
};

/** Throws `unsupported` with the name of the first field that asks for something this service does not do. */
export function refuseUnsupported(body: Readonly<Record<string, unknown>>): void {
  for (const [field, isHarmless] of Object.entries(harmless)) {
    const value = body[field];
    if (value === undefined || value === null || isHarmless(value)) continue;
    throw new TillerError('unsupported', `'${field}' is not supported: leave it out.`, { param: field });
  }
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function toLogitBias(bias: Readonly<Record<string, number>>, vocabularySize: number): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(bias).map(([key, value]) => {
      const id = /^\d+$/.test(key) ? Number(key) : Number.NaN;
      if (!(id < vocabularySize)) {
        const message = `'logit_bias' names '${key}', which is not a token id of this vocabulary (0–${vocabularySize - 1}).`;
        throw new TillerError('invalid_request', message, { param: `logit_bias.${key}` });
      }
      return [id, value];
    }),
  );
}
