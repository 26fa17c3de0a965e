import { setImmediate as turn } from 'node:timers/promises';
import { type Edit, type PositionContext, TillerError } from '../../engine/core/index.ts';
import { renamingParam } from '../http/errors.ts';
import { type ChatPrompt, toChatPrompt } from '../prompts/chat-prompt.ts';
import { refuseFarTooLong } from '../prompts/least-tokens.ts';
import { chatPositionContext, plainPositionContext } from '../prompts/position-context.ts';
import { checkTokenIds } from '../prompts/token-ids.ts';
import type { ModelService } from '../services.ts';
import type { ReadingInputBody, ReadingInputsBody } from './reading-input-schemas.ts';

/** One text, conversation or list of token ids that is to be read, as tokens. */
export interface ReadingInput {
  /** The field that it was given in, as the client wrote it: `text`, `inputs[3].messages`. */
  readonly param: string;
  readonly tokenIds: Int32Array;
  /** What the tokens spell: the text, the rendered conversation, the decoded ids. */
  readonly text: string;
  /** Set for a conversation. */
  readonly chat: ChatPrompt | null;
}

export interface ReadingInputsOptions {
  readonly signal: AbortSignal;
  /** Of all inputs together. */
  readonly mostTokens: number;
  /** Whether conversations end where the assistant's answer begins, where the input does not say. Default false. */
  readonly addGenerationPrompt?: boolean;
}

/**
 * The inputs of a request body that has `readingInputFields`, as tokens, in order. Long texts are encoded on a thread, and between
 * short ones the event loop turns. Throws, with the item's field as `param` (`inputs[3].text`): `invalid_request` unless exactly one
 * kind is given, for ids beyond the vocabulary, for inputs without a token and for more than `mostTokens` together; `unsupported`
 * for a model without a chat template; `context_length_exceeded`; `cancelled`.
 */
export async function toReadingInputs(
  model: ModelService,
  body: ReadingInputsBody,
  options: ReadingInputsOptions,
): Promise<readonly ReadingInput[]> {
  const { inputs: given, ...alone } = body;
  const isAlone = kinds.some((kind) => alone[kind] !== undefined);
  if (isAlone && given !== undefined) {
    throw invalid("Give either 'inputs' or one of 'text', 'messages' and 'token_ids', not both.", 'inputs');
  }
  const inputs: ReadingInput[] = [];
  let tokens = 0;
  for (const [index, input] of (given ?? [alone]).entries()) {
    const prefix = given === undefined ? '' : `inputs[${index}].`;
    if (index > 0) await turn(undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) throw new TillerError('cancelled', 'The request was cancelled by its caller.');
    const read = await toReadingInput(model, input, prefix, options);
    tokens += read.tokenIds.length;
    if (tokens > options.mostTokens) {
      const message = `The inputs have more than ${options.mostTokens} tokens together: give fewer at once.`;
      throw invalid(message, read.param);
    }
    inputs.push(read);
  }
  return inputs;
}

/** Where the tokens of an input stand, for edits. Throws `edit_not_applicable` where that cannot be told exactly. */
export function inputPositions(input: ReadingInput, model: ModelService, edits: readonly Edit[]): PositionContext {
  return input.chat
    ? chatPositionContext(input.chat, model.tokenizer, edits)
    : plainPositionContext(input.tokenIds, model.tokenizer);
}

const kinds = ['text', 'messages', 'token_ids'] as const;

async function toReadingInput(
  model: ModelService,
  input: ReadingInputBody,
  prefix: string,
  options: ReadingInputsOptions,
): Promise<ReadingInput> {
  const [kind, second] = kinds.filter((name) => input[name] !== undefined);
  if (kind === undefined || second !== undefined) {
    const message = "Give exactly one of 'text', 'messages' and 'token_ids'.";
    throw invalid(message, `${prefix}${second ?? 'text'}`);
  }
  if (kind !== 'messages' && input.add_generation_prompt !== undefined) {
    throw invalid("'add_generation_prompt' is for 'messages'.", `${prefix}add_generation_prompt`);
  }
  const param = `${prefix}${kind}`;
  const read = await encoded(model, input, param, prefix, options);
  const { length } = read.tokenIds;
  const { contextLength } = model.card;
  if (length === 0) throw invalid(`'${param}' has no token: there is nothing to read.`, param);
  if (length > contextLength) {
    const message = `'${param}' has ${length} tokens and the context holds ${contextLength}: shorten it.`;
    throw new TillerError('context_length_exceeded', message, { param });
  }
  return read;
}

async function encoded(
  model: ModelService,
  { text, messages, token_ids: ids, add_generation_prompt }: ReadingInputBody,
  param: string,
  prefix: string,
  { signal, addGenerationPrompt = false }: ReadingInputsOptions,
): Promise<ReadingInput> {
  const { tokenizer, chatTemplate, card } = model;
  if (messages !== undefined) {
    if (!chatTemplate) {
      throw new TillerError('unsupported', `'${card.id}' has no chat template: give 'text' or 'token_ids'.`, { param });
    }
    const rendering = { add_generation_prompt: add_generation_prompt ?? addGenerationPrompt, signal };
    const chat = await renamingParam(toChatPrompt(model, messages, rendering), (name) => `${prefix}${name}`);
    return { param, tokenIds: chat.tokenIds, text: chat.text, chat };
  }
  if (ids !== undefined) {
    checkTokenIds(ids, tokenizer.vocabularySize, param);
    return { param, tokenIds: Int32Array.from(ids), text: tokenizer.decode(ids, { skipSpecial: false }), chat: null };
  }
  refuseFarTooLong(text ?? '', model, param);
  return {
    param,
    tokenIds: await model.encode(text ?? '', { addSpecialTokens: true, signal }),
    text: text ?? '',
    chat: null,
  };
}

function invalid(message: string, param: string): TillerError {
  return new TillerError('invalid_request', message, { param });
}
