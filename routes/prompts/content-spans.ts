import { type ChatMessage, TillerError } from '../../engine/core/index.ts';

/** Half-open range of characters (UTF-16 units of the rendered text) that a message's content takes up. */
export interface ContentSpan {
  readonly start: number;
  readonly end: number;
}

/** Private-use characters: no tokenizer or template treats them specially, and no conversation has them by accident. */
const sentinel = (index: number) => `\u{E0F1}tiller content ${index}\u{E0F2}`;

/**
 * Finds each message's content in a rendered conversation, exactly: the conversation is rendered once more with every content
 * replaced by a sentinel of its own, which leaves what the template wrote between them; the rendering must then be those
 * pieces with the contents (whole, or trimmed as many templates do) in between. Searching for the text itself would find
 * other places where the same words stand (a default system message, the markers). Throws `edit_not_applicable` where the
 * template rewrites, moves or drops a message, because its tokens could then not be told from the template's.
 */
export function contentSpans(
  render: (messages: readonly ChatMessage[]) => string,
  messages: readonly ChatMessage[],
  whole: string,
): ContentSpan[] {
  const pieces = templatePieces(renderMarked(render, messages), messages.length);
  if (!whole.startsWith(pieces[0] ?? '')) throw untraceable(0);
  let at = pieces[0]?.length ?? 0;
  const spans = messages.map(({ content }, index) => {
    const piece = pieces[index + 1] ?? '';
    const isLast = index === messages.length - 1;
    const fits = (words: string) => {
      const after = at + words.length;
      if (!whole.startsWith(words, at) || !whole.startsWith(piece, after)) return false;
      return !isLast || after + piece.length === whole.length;
    };
    const words = [content, content.trim()].find(fits);
    if (words === undefined) throw untraceable(index);
    const span = { start: at, end: at + words.length };
    at = span.end + piece.length;
    return span;
  });
  return spans;
}

/** What the template itself wrote: before the first content, between each two, and after the last. */
function templatePieces(marked: string | null, count: number): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const found = marked?.indexOf(sentinel(index), at) ?? -1;
    if (marked === null || found < 0) throw untraceable(index);
    pieces.push(marked.slice(at, found));
    at = found + sentinel(index).length;
  }
  return [...pieces, marked?.slice(at) ?? ''];
}

function renderMarked(
  render: (messages: readonly ChatMessage[]) => string,
  messages: readonly ChatMessage[],
): string | null {
  try {
    return render(messages.map((message, index) => ({ ...message, content: sentinel(index) })));
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
