import { TillerError } from './core/errors.ts';
import type { GenerateRequest } from './core/request.ts';
import { comparisonsOf, type RuleSet } from './core/rule.ts';

/** Most alternatives that log-probabilities may list. */
const maxLogprobs = 20;
/** Most encoders that one request may have read. */
const mostEncodings = 16;
/** Most activations that an encoder may tell of one token. */
const mostTold = 4096;

/**
 * Checks what the engine relies on, whoever calls it. Throws `invalid_request` with the field at fault, in the names of the
 * OpenAI API; whether the request fits is decided by admission.
 */
export function validateRequest(request: GenerateRequest, vocabularySize: number): void {
  validateSampling(request, vocabularySize);
  validateStop(request, vocabularySize);
  validateTokenIds(request.promptTokenIds, vocabularySize, 'prompt');
  validateLogprobs(request.logprobs, 'logprobs');
  validateLogprobs(request.promptLogprobs, 'prompt_logprobs');
  validateEncodings(request);
  validateTaps(request);
  validateReplacements(request);
  if (request.rules) validateRules(request.rules);
  const { promptLength, promptIsSpecial } = request.positionContext;
  if (promptLength !== request.promptTokenIds.length || promptIsSpecial.length !== promptLength) {
    refuse('prompt', 'positions were worked out for another prompt: its length and positionContext disagree.');
  }
}

function refuse(param: string, message: string): never {
  throw new TillerError('invalid_request', `${param}: ${message}`, { param });
}

function within(value: number, least: number, most: number, param: string): void {
  if (!(value >= least && value <= most)) refuse(param, `must lie between ${least} and ${most}, not ${value}.`);
}

function wholeNumber(value: number, param: string): void {
  if (!Number.isSafeInteger(value) || value < 0) refuse(param, `must be a whole number from 0, not ${value}.`);
}

function validateSampling({ sampling }: GenerateRequest, vocabularySize: number): void {
  const big = Number.MAX_VALUE;
  within(sampling.temperature, 0, big, 'temperature');
  if (!(sampling.topP > 0 && sampling.topP <= 1))
    refuse('top_p', `must be above 0 and at most 1, not ${sampling.topP}.`);
  wholeNumber(sampling.topK, 'top_k');
  within(sampling.minP, 0, 1, 'min_p');
  if (!(sampling.repetitionPenalty > 0 && sampling.repetitionPenalty <= big)) {
    refuse('repetition_penalty', `must be above 0, not ${sampling.repetitionPenalty}.`);
  }
  within(sampling.frequencyPenalty, -big, big, 'frequency_penalty');
  within(sampling.presencePenalty, -big, big, 'presence_penalty');
  validateTokenIds([...sampling.logitBias.keys()], vocabularySize, 'logit_bias');
  for (const bias of sampling.logitBias.values()) within(bias, -1e4, 1e4, 'logit_bias');
  if (!Number.isSafeInteger(sampling.seed)) refuse('seed', `must be a safe whole number, not ${sampling.seed}.`);
}

function validateStop({ stop }: GenerateRequest, vocabularySize: number): void {
  wholeNumber(stop.maxTokens, 'max_tokens');
  wholeNumber(stop.minTokens, 'min_tokens');
  if (stop.minTokens > stop.maxTokens) {
    refuse('min_tokens', `${stop.minTokens} is more than max_tokens, which is ${stop.maxTokens}.`);
  }
  if (stop.strings.includes('')) refuse('stop', 'an empty string would stop before the first character.');
  validateTokenIds(stop.tokenIds, vocabularySize, 'stop_token_ids');
}

function validateTokenIds(ids: ArrayLike<number>, vocabularySize: number, param: string): void {
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at] as number;
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
      refuse(param, `${id} is no token id of this model; they go from 0 to ${vocabularySize - 1}.`);
    }
  }
}

function validateLogprobs(count: number | null, param: string): void {
  if (count !== null && !(Number.isInteger(count) && count >= 0 && count <= maxLogprobs)) {
    refuse(param, `must be a whole number from 0 to ${maxLogprobs}, not ${count}.`);
  }
}

/** Each encoder once, and a bound of what it tells that can be a bound. */
function validateEncodings({ encodings = [] }: GenerateRequest): void {
  if (encodings.length > mostEncodings)
    refuse('sources', `${encodings.length} are too many to read at once; ${mostEncodings} can be.`);
  const keys = new Set(encodings.map(({ encoder }) => encoder.key));
  if (keys.size < encodings.length) refuse('sources', 'one of them is named twice.');
  for (const { limit } of encodings) {
    if (!Number.isInteger(limit) || limit < 1 || limit > mostTold)
      refuse('limit', `must lie between 1 and ${mostTold}, not ${limit}.`);
  }
}

/** What is as wide as there are keys is not told in pieces. */
function validateTaps({ taps = [] }: GenerateRequest): void {
  const byKeys = taps.find((name) => /hook_(attn_scores|pattern)$/.test(name));
  if (byKeys !== undefined) refuse('taps', `${byKeys} cannot be read with a request.`);
}

/** They are given for the prompt: what is generated has none. */
function validateReplacements({ replacements = [], promptTokenIds, stop }: GenerateRequest): void {
  if (replacements.length > 0 && stop.maxTokens > 0) refuse('max_tokens', 'must be 0 where values are replaced.');
  for (const { mask, values, hookPoint } of replacements) {
    const { length } = promptTokenIds;
    if (mask.length !== length || values.length % length !== 0)
      refuse('replacements', `those at ${hookPoint} are for another prompt.`);
    if (!values.every(Number.isFinite)) refuse('replacements', `those at ${hookPoint} are not finite numbers.`);
  }
}

/** Comparisons of probes that are there, with numbers that are numbers; something to compare in every rule. */
function validateRules({ probes, rules }: RuleSet): void {
  for (const { when, param } of rules) {
    const comparisons = comparisonsOf(when);
    if (comparisons.length === 0) refuse(`${param}.when`, 'compares nothing.');
    for (const { probe, threshold } of comparisons) {
      if (!probes[probe]) refuse(`${param}.when`, `there is no probe ${probe}.`);
      if (!Number.isFinite(threshold)) refuse(`${param}.when`, 'compares with a number that is not finite.');
    }
  }
}
