import { setImmediate as turn } from 'node:timers/promises';
import { TillerError } from '../../engine/core/index.ts';
import { renamingParam } from '../http/errors.ts';
import { type ByteSpan, tokenSpans } from '../prompts/token-spans.ts';
import type { ContrastItem, ContrastPositions, ModelService } from '../services.ts';
import type { ContrastItemBody } from './contrast-schemas.ts';
import { type ReadingInput, toReadingInputs } from './reading-inputs.ts';

/** Tokens of both classes together; reading a thousand takes about a second on two cores. */
export const mostContrastTokens = 131_072;

export interface ContrastItemsOptions {
  readonly positions: ContrastPositions;
  /** Of all items together. */
  readonly mostTokens: number;
  readonly signal: AbortSignal;
}

/** An item as it was sent, and where. */
export interface NamedItem {
  readonly body: ContrastItemBody;
  readonly topic: string | null;
  readonly param: string;
}

/**
 * Items of a data set as tokens, with the tokens that count of each. Throws, with the item as `param`, what `toReadingInputs` throws,
 * `invalid_request` for an answer that is not in the text, `edit_not_applicable` where the tokenizer or the template rewrites the text
 * so that the tokens of its parts cannot be told.
 */
export async function toContrastItems(
  model: ModelService,
  items: readonly NamedItem[],
  { positions, mostTokens, signal }: ContrastItemsOptions,
): Promise<ContrastItem[]> {
  const read: ContrastItem[] = [];
  let tokens = 0;
  for (const { body, topic, param } of items) {
    await turn();
    const { answer = null, ...given } = typeof body === 'string' ? { text: body } : body;
    const rename = (field: string) => (typeof body === 'string' ? param : `${param}.${field}`);
    const inputs = toReadingInputs(model, given, { signal, mostTokens: Number.POSITIVE_INFINITY });
    const [input] = await renamingParam(inputs, rename);
    if (!input) throw new TillerError('internal', 'an item was not read');
    tokens += input.tokenIds.length;
    if (tokens > mostTokens) {
      const message = `The items have more than ${mostTokens} tokens together at '${param}': give fewer or shorter ones.`;
      throw new TillerError('invalid_request', message, { param });
    }
    read.push({ tokenIds: input.tokenIds, topic, param, ...partsOf(input, model, positions, answer, param) });
  }
  return read;
}

function partsOf(
  input: ReadingInput,
  model: ModelService,
  positions: ContrastPositions,
  answer: string | null,
  param: string,
): Pick<ContrastItem, 'own' | 'answer'> {
  const whole = { from: 0, to: input.tokenIds.length };
  if (positions !== 'answer' && answer !== null) {
    const message = `'${param}' has an 'answer', which is for positions 'answer'.`;
    throw new TillerError('invalid_request', message, { param: `${param}.answer` });
  }
  const isPlain = input.chat === null;
  if (positions === 'last' || (positions !== 'answer' && isPlain)) return { own: whole, answer: null };
  const content = isPlain ? { start: 0, end: input.text.length } : input.chat?.spans().at(-1);
  const spans = tokenSpans(input.text, input.tokenIds, model.tokenizer);
  if (content === undefined || spans === null) {
    const message = `The tokens of '${param}' do not spell its text, so its parts cannot be told: use positions 'last'.`;
    throw new TillerError('edit_not_applicable', message, { param });
  }
  const own = isPlain ? whole : tokensOver(spans, bytesOf(input.text, content));
  if (positions !== 'answer') return { own, answer: null };
  return { own, answer: answerToken(input, content, spans, answer, param) };
}

/** The token that an answer ends in: its last mention in the text or the last message; without one, the end of the assistant's message. */
function answerToken(
  { text, chat }: ReadingInput,
  content: { readonly start: number; readonly end: number },
  spans: readonly (ByteSpan | null)[],
  answer: string | null,
  param: string,
): number | null {
  if (answer === null && chat?.messages.at(-1)?.role !== 'assistant') return null;
  const at = answer === null ? 0 : text.slice(content.start, content.end).lastIndexOf(answer);
  if (at < 0) {
    const where = chat ? 'its last message' : 'its text';
    const message = `The answer of '${param}' does not stand in ${where}: it must, as it is.`;
    throw new TillerError('invalid_request', message, { param: `${param}.answer` });
  }
  const end = answer === null ? content.end : content.start + at + answer.length;
  const { from, to } = tokensOver(spans, bytesOf(text, { start: content.start, end }));
  return to > from ? to - 1 : null;
}

function bytesOf(text: string, { start, end }: { readonly start: number; readonly end: number }): ByteSpan {
  const from = Buffer.byteLength(text.slice(0, start));
  return { start: from, end: from + Buffer.byteLength(text.slice(start, end)) };
}

/** Tokens that any of the bytes belongs to, half open. */
function tokensOver(
  spans: readonly (ByteSpan | null)[],
  bytes: ByteSpan,
): { readonly from: number; readonly to: number } {
  const isOver = (span: ByteSpan | null) => span !== null && span.end > bytes.start && span.start < bytes.end;
  const from = spans.findIndex(isOver);
  return from < 0 ? { from: 0, to: 0 } : { from, to: spans.findLastIndex(isOver) + 1 };
}
