import { TillerError, type Tokenizer } from '../../engine/core/index.ts';
import { mostChoices } from '../http/most-choices.ts';
import type { Warning } from '../http/router.ts';
import type { UseModel } from '../http/use-model.ts';
import { refuseFarTooLong } from '../prompts/least-tokens.ts';
import { plainPositionContext } from '../prompts/position-context.ts';
import { checkTokenIds } from '../prompts/token-ids.ts';
import type { ModelService, Services } from '../services.ts';
import { type Generation, planGeneration, resolveTarget } from './generation.ts';
import type { CompletionRequest } from './schemas/completions.ts';
import { chooseMaxTokens, refuseUnsupported, toChoices, toDeadline, toSampling, toStopRules } from './to-engine.ts';

/** OpenAI's default for this endpoint. */
const defaultMaxTokens = 16;

/** A prompt as it goes to the engine and as it is given back. */
export interface CompletionPrompt {
  readonly tokenIds: Int32Array;
  /** The prompt as text, for `echo`. */
  readonly text: string;
  /** Tokens at the front that are not in `text`: what the tokenizer itself prepended. */
  readonly textBegins: number;
}

/** A completion request, checked and laid out. */
export interface CompletionPlan {
  readonly generation: Generation;
  readonly wantsLogprobs: boolean;
  /** The prompt to give back in front of a choice; null without `echo`. */
  echoOf(choice: number): CompletionPrompt | null;
}

/** Everything that can be refused is refused here, before anything is queued. */
export async function planCompletion(
  services: Services,
  use: UseModel,
  body: CompletionRequest,
  warnings: readonly Warning[],
  signal: AbortSignal,
): Promise<CompletionPlan> {
  const deadline = toDeadline(body);
  refuseUnsupported(body);
  refuseBestOf(body);
  const target = await resolveTarget(services, use, body);
  const { card, tokenizer } = target.model;
  const given = toList(body.prompt);
  const choices = toChoices(body.n, given.length, mostChoices(services.limits, card));
  const prompts = await toPrompts(given, target.model, isNested(body.prompt), signal);
  const requested = body.max_tokens ?? defaultMaxTokens;
  const logprobs = body.logprobs ?? null;
  const generation = planGeneration({
    idPrefix: 'cmpl',
    target,
    prompts: prompts.map(({ tokenIds }) => {
      const names = { prompt: 'prompt', maxTokens: 'max_tokens' };
      const { maxReplyTokens } = services.limits;
      const maxTokens = chooseMaxTokens(tokenIds.length, requested, card.contextLength, maxReplyTokens, names);
      return {
        tokenIds,
        stop: toStopRules(body, maxTokens, tokenizer.vocabularySize),
        positions: () => plainPositionContext(tokenIds, tokenizer),
      };
    }),
    choices,
    sampling: toSampling(body, tokenizer.vocabularySize),
    logprobs,
    promptLogprobs: body.echo ? logprobs : null,
    deadline,
    warnings,
  });
  return {
    generation,
    wantsLogprobs: logprobs !== null,
    echoOf: (choice) => (body.echo ? (prompts[Math.floor(choice / choices)] ?? null) : null),
  };
}

function refuseBestOf(body: CompletionRequest): void {
  const bestOf = body.best_of ?? null;
  if (bestOf === null || bestOf === (body.n ?? 1)) return;
  throw new TillerError('unsupported', `'best_of' other than 'n' is not supported: leave it out.`, {
    param: 'best_of',
  });
}

async function toPrompts(
  list: readonly (string | number[])[],
  model: ModelService,
  nested: boolean,
  signal: AbortSignal,
): Promise<CompletionPrompt[]> {
  const prompts: CompletionPrompt[] = [];
  // one after the other: where one is refused, the rest is not encoded
  for (const [index, item] of list.entries()) {
    const param = nested ? `prompt[${index}]` : 'prompt';
    const isText = typeof item === 'string';
    const encoded = isText ? await fromText(item, model, param, signal) : fromIds(item, model.tokenizer, param);
    if (encoded.tokenIds.length === 0) {
      throw new TillerError('invalid_request', `'${param}' is empty: there is nothing to continue.`, { param });
    }
    prompts.push(encoded);
  }
  return prompts;
}

function toList(prompt: CompletionRequest['prompt']): readonly (string | number[])[] {
  if (typeof prompt === 'string') return [prompt];
  if (isTokenIds(prompt)) return [prompt];
  return prompt;
}

function isTokenIds(prompt: readonly (string | number | number[])[]): prompt is number[] {
  return typeof prompt[0] === 'number';
}

function isNested(prompt: CompletionRequest['prompt']): boolean {
  return typeof prompt !== 'string' && !isTokenIds(prompt);
}

/** Text gets what the tokenizer itself prepends, and nothing else. */
async function fromText(
  text: string,
  model: ModelService,
  param: string,
  signal: AbortSignal,
): Promise<CompletionPrompt> {
  const { tokenizer } = model;
  refuseFarTooLong(text, model, param);
  const tokenIds = await model.encode(text, { addSpecialTokens: true, signal });
  // what it prepends to nothing, it prepends to anything, but for a start that the text has already
  const prepended = tokenizer.encode('', { addSpecialTokens: true });
  const isThere = prepended.length > 0 && text.startsWith(tokenizer.tokenText(prepended[0]));
  const textBegins = prepended.length - (isThere ? 1 : 0);
  return { tokenIds, text, textBegins };
}

/** Token ids are taken as they are. */
function fromIds(ids: readonly number[], tokenizer: Tokenizer, param: string): CompletionPrompt {
  checkTokenIds(ids, tokenizer.vocabularySize, param);
  const tokenIds = Int32Array.from(ids);
  return { tokenIds, text: tokenizer.decode(tokenIds, { skipSpecial: false }), textBegins: 0 };
}
