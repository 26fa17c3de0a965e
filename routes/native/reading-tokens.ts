import { TillerError, type Tokenizer } from '../../engine/core/index.ts';
import type { Warning } from '../http/router.ts';
import { type ByteSpan, CodePoints, tokenSpans } from '../prompts/token-spans.ts';
import type { ReadToken } from './reading-input-schemas.ts';
import type { ReadingInput } from './reading-inputs.ts';

/** An input's tokens as answers tell them. */
export interface DescribedTokens {
  readonly tokens: readonly ReadToken[];
  /** Why no token has a place; null where they have. Routes add it to their answer. */
  readonly warning: Warning | null;
}

/** Text, place, message and role of each token of an input. */
export function describeTokens(input: ReadingInput, tokenizer: Tokenizer): DescribedTokens {
  const nowhere = Array.from(input.tokenIds, (id, position) => ({
    ...placeless,
    position,
    id,
    text: tokenizer.tokenText(id),
  }));
  const spans = tokenSpans(input.text, input.tokenIds, tokenizer);
  if (spans === null) {
    const message = 'The tokenizer rewrites this text, so where its tokens stand in it cannot be told.';
    return { tokens: nowhere, warning: { param: input.param, message } };
  }
  try {
    const places = input.chat ? placesInMessages(input.chat, spans) : placesInText(input.text, spans);
    return { tokens: nowhere.map((token, position) => ({ ...token, ...places[position] })), warning: null };
  } catch (error) {
    if (!(error instanceof TillerError) || error.code !== 'edit_not_applicable') throw error;
    const message = 'The chat template rewrites a message, so which tokens are whose words cannot be told.';
    return { tokens: nowhere, warning: { param: input.param, message } };
  }
}

/**
 * Tokens of a reply, after `first` tokens of prompt; they stand in the reply's own text. `message` is the reply's number in its
 * conversation; null of a text that goes on.
 */
export function describeReply(
  tokenIds: ArrayLike<number>,
  tokenizer: Tokenizer,
  first: number,
  message: number | null,
): DescribedTokens {
  const text = tokenizer.decode(tokenIds, { skipSpecial: false });
  const spans = tokenSpans(text, tokenIds, tokenizer);
  const places = spans ? placesInText(text, spans) : [];
  const role = message === null ? null : 'assistant';
  const tokens = Array.from(tokenIds, (id, index) => {
    const place = places[index] ?? placeless;
    return { ...place, position: first + index, id, text: tokenizer.tokenText(id), message, role };
  });
  const unspelled = 'The reply has bytes that are no text, so where its tokens stand in it cannot be told.';
  return { tokens, warning: spans ? null : { param: 'reply', message: unspelled } };
}

type Place = Pick<ReadToken, 'start' | 'end' | 'message' | 'role'>;

const placeless: Place = { start: null, end: null, message: null, role: null };

function placesInText(text: string, spans: readonly (ByteSpan | null)[]): Place[] {
  const points = new CodePoints(text);
  return spans.map((span) => (span === null ? placeless : { ...placeless, ...points.span(span) }));
}

/** Throws `edit_not_applicable` where the template rewrites a message. */
function placesInMessages(chat: NonNullable<ReadingInput['chat']>, spans: readonly (ByteSpan | null)[]): Place[] {
  const points = new CodePoints(chat.text);
  const contents = chat.spans().map(({ start, end }, index) => {
    const content = chat.messages[index]?.content ?? '';
    // a template may trim what it writes: the places are in the content as it was given
    const trimmed = end - start === content.length ? '' : content.slice(0, content.length - content.trimStart().length);
    const bytes = { start: byteLength(chat.text.slice(0, start)), end: byteLength(chat.text.slice(0, end)) };
    return { ...bytes, shift: points.span(bytes).start - [...trimmed].length };
  });
  return spans.map((span) => {
    const message = span === null ? -1 : contents.findIndex(({ start, end }) => span.start < end && span.end > start);
    const content = contents[message];
    if (span === null || content === undefined) return placeless;
    const inside = { start: Math.max(span.start, content.start), end: Math.min(span.end, content.end) };
    const { start, end } = points.span(inside);
    const role = chat.messages[message]?.role ?? null;
    return { start: start - content.shift, end: end - content.shift, message, role };
  });
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
