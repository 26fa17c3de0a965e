import { type ChatMessage, TillerError } from '../../engine/core/index.ts';

/** Half-open range of characters (UTF-16 units of the rendered text) that a message's content takes up. */
export interface ContentSpan {
  readonly start: number;
  readonly end: number;
}

/** Private-use characters: no tokenizer or template treats them specially, and no conversation has them by accident. */
const sentinel = '\u{E0F1}tiller content\u{E0F2}';

/**
 * Finds each message's content in a rendered conversation, exactly: the conversation is rendered again with that one content
 * replaced by a sentinel, and what differs is the content. Searching for the text itself would find other places where the
 * same words stand (a default system message, the markers). Throws `edit_not_applicable` where the template rewrites or drops a
 * message, because its tokens could then not be told from the template's.
 */
export function contentSpans(
  render: (messages: readonly ChatMessage[]) => string,
  messages: readonly ChatMessage[],
  whole: string,
): ContentSpan[] {
  return messages.map((message, index) => {
    const marked = renderMarked(render, messages, index);
    const start = marked?.indexOf(sentinel) ?? -1;
    if (marked === null || start < 0) throw untraceable(index);
    const suffix = marked.slice(start + sentinel.length);
    const end = whole.length - suffix.length;
    const found = whole.slice(start, Math.max(start, end));
    const framed = end >= start && whole.startsWith(marked.slice(0, start)) && whole.endsWith(suffix);
    if (!framed || (found !== message.content && found !== message.content.trim())) throw untraceable(index);
    return { start, end };
  });
}

function renderMarked(
  render: (messages: readonly ChatMessage[]) => string,
  messages: readonly ChatMessage[],
  index: number,
): string | null {
  try {
    return render(messages.map((message, at) => (at === index ? { ...message, content: sentinel } : message)));
  } catch {
    return null;
  }
}

function untraceable(index: number): TillerError {
  return new TillerError(
    'edit_not_applicable',
    `The chat template rewrites message ${index}, so which tokens are its words cannot be told: ` +
      "use other positions than 'assistant' and leave out 'skip'.",
    { param: `messages[${index}]` },
  );
}
