import { TillerError, type Tokenizer } from '../../engine/core/index.ts';
import type { Warning } from '../http/router.ts';
import type { ModelService, Services } from '../services.ts';
import { type Generation, planGeneration, resolveTarget } from './generation.ts';
import { refuseFarTooLong } from './least-tokens.ts';
import { plainPositionContext } from './position-context.ts';
import type { CompletionRequest } from './schemas/completions.ts';
import { checkTokenIds, chooseMaxTokens, refuseUnsupported, toChoices, toSampling, toStopRules } from './to-engine.ts';

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
export function planCompletion(
  services: Services,
  body: CompletionRequest,
  warnings: readonly Warning[],
): CompletionPlan {
  refuseUnsupported(body);
  refuseBestOf(body);
  const target = resolveTarget(services, body);
  const { card, tokenizer } = target.model;
  const given = toList(body.prompt);
  const choices = toChoices(body.n, given.length, services.limits.maxChoices);
  const prompts = toPrompts(given, target.model, isNested(body.prompt));
  const requested = body.max_tokens ?? defaultMaxTokens;
  const logprobs = body.logprobs ?? null;
  const generation = planGeneration({
    idPrefix: 'cmpl',
    target,
    prompts: prompts.map(({ tokenIds }) => {
      const names = { prompt: 'prompt', maxTokens: 'max_tokens' };
      const maxTokens = chooseMaxTokens(tokenIds.length, requested, card.contextLength, names);
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

function toPrompts(list: readonly (string | number[])[], model: ModelService, nested: boolean): CompletionPrompt[] {
  return list.map((item, index) => {
    const param = nested ? `prompt[${index}]` : 'prompt';
    const encoded = typeof item === 'string' ? fromText(item, model, param) : fromIds(item, model.tokenizer, param);
    if (encoded.tokenIds.length === 0) {
      throw new TillerError('invalid_request', `'${param}' is empty: there is nothing to continue.`, { param });
    }
    return encoded;
  });
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
function fromText(text: string, model: ModelService, param: string): CompletionPrompt {
  const { tokenizer } = model;
  refuseFarTooLong(text, model, param);
  const tokenIds = tokenizer.encode(text, { addSpecialTokens: true });
  // what it prepends to nothing, it prepends to anything
  const textBegins = tokenizer.encode('', { addSpecialTokens: true }).length;
  return { tokenIds, text, textBegins };
}

/** Token ids are taken as they are. */
function fromIds(ids: readonly number[], tokenizer: Tokenizer, param: string): CompletionPrompt {
  checkTokenIds(ids, tokenizer.vocabularySize, param);
  const tokenIds = Int32Array.from(ids);
  return { tokenIds, text: tokenizer.decode(tokenIds, { skipSpecial: false }), textBegins: 0 };
}
