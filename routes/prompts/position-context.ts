import { type Edit, type PositionContext, TillerError, type Tokenizer } from '../../engine/core/index.ts';
import type { ChatPrompt } from './chat-prompt.ts';

/** Half-open range of byte offsets in the UTF-8 of the prompt text. */
interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** Positions of a plain prompt: nobody's message is in it, and only special token ids belong to the template. */
export function plainPositionContext(tokenIds: Int32Array, tokenizer: Tokenizer): PositionContext {
  return {
    promptLength: tokenIds.length,
    assistantRanges: [],
    promptIsSpecial: Uint8Array.from(tokenIds, (id) => (tokenizer.specialTokenIds.has(id) ? 1 : 0)),
    specialTokenIds: tokenizer.specialTokenIds,
  };
}

/**
 * Positions of a conversation.
 *
 * - `promptIsSpecial`: every token that shares no byte with any message's content, and every special token id.
 * - `assistantRanges`, one for each assistant message: the positions that predict its tokens, as they stood when the message
 *   was generated. With f the first token that reaches into the content and e the first token that begins at or after its
 *   end (its end-of-message token), that is [f − 1, e): the last token of the header predicts f, the last content token
 *   predicts e, and e itself predicts nothing of the message. This equals `generated` of the request that wrote it.
 *
 * Both cost another rendering, so they are worked out only where an edit asks. Throws `edit_not_applicable` where
 * the template or the tokenizer does not let tokens be told apart exactly.
 */
export function chatPositionContext(prompt: ChatPrompt, tokenizer: Tokenizer, edits: readonly Edit[]): PositionContext {
  const plain = plainPositionContext(prompt.tokenIds, tokenizer);
  if (!edits.some((edit) => edit.skipSpecial || edit.positions === 'assistant')) return plain;
  const tokens = tokenSpans(prompt, tokenizer);
  const contents = prompt.spans().map(({ start, end }) => ({
    start: byteLength(prompt.text.slice(0, start)),
    end: byteLength(prompt.text.slice(0, end)),
  }));
  return {
    ...plain,
    promptIsSpecial: plain.promptIsSpecial.map((special, position) =>
      special === 1 || !contents.some((content) => overlaps(tokens[position], content)) ? 1 : 0,
    ),
    assistantRanges: contents
      .filter((_, index) => prompt.messages[index]?.role === 'assistant')
      .map((content) => predictingRange(tokens, content)),
  };
}

function predictingRange(tokens: readonly ByteSpan[], content: ByteSpan): readonly [number, number] {
  const atOrPast = (test: (token: ByteSpan) => boolean) => {
    const found = tokens.findIndex(test);
    return found < 0 ? tokens.length : found;
  };
  const first = atOrPast((token) => token.end > content.start);
  const end = atOrPast((token) => token.start >= content.end);
  return [Math.max(0, first - 1), end];
}

function overlaps(token: ByteSpan | undefined, content: ByteSpan): boolean {
  return token !== undefined && token.start < content.end && token.end > content.start;
}

/** Which bytes of the text each token stands for; the tokens must spell the text, or nothing can be said. */
function tokenSpans(prompt: ChatPrompt, tokenizer: Tokenizer): ByteSpan[] {
  const bytes = new TextEncoder().encode(prompt.text);
  let at = 0;
  const spans = Array.from(prompt.tokenIds, (id) => {
    const own = tokenizer.tokenBytes(id);
    if (own.some((byte, index) => byte !== bytes[at + index])) throw notSpelled();
    const span = { start: at, end: at + own.length };
    at = span.end;
    return span;
  });
  if (at !== bytes.length) throw notSpelled();
  return spans;
}

function notSpelled(): TillerError {
  return new TillerError(
    'edit_not_applicable',
    "This tokenizer rewrites text, so which tokens are a message's words cannot be told: " +
      "use other positions than 'assistant' and leave out 'skip'.",
    { param: 'steering' },
  );
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
