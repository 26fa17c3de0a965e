import { setImmediate as turn } from 'node:timers/promises';
import type { Context } from 'hono';
import { jsonType } from './accept.ts';
import type { AppEnv } from './router.ts';

/** What is written before the event loop turns. */
const pieceCharacters = 65_536;

/**
 * Answers with JSON that is written piece by piece, the event loop turning between them: an answer of megabytes at once would hold up
 * everybody's tokens. All that can fail has to be done before.
 */
export function jsonPiecesResponse(c: Context<AppEnv>, pieces: Iterable<string>): Response {
  const iterator = pieces[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await turn();
        const texts: string[] = [];
        for (let length = 0; length < pieceCharacters; ) {
          const { done, value } = iterator.next();
          if (done) {
            if (texts.length > 0) controller.enqueue(Buffer.from(texts.join('')));
            controller.close();
            return;
          }
          texts.push(value);
          length += value.length;
        }
        controller.enqueue(Buffer.from(texts.join('')));
      },
      cancel() {
        iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return c.body(body, 200, { 'Content-Type': jsonType });
}

/** Items a piece holds: some milliseconds of `JSON.stringify`. */
const together = 128;

/** A JSON array in pieces. */
export function* arrayPieces<Item>(
  items: readonly Item[],
  render: (item: Item, index: number) => unknown,
): Generator<string> {
  if (items.length === 0) yield '[]';
  for (let from = 0; from < items.length; from += together) {
    const rendered = items.slice(from, from + together).map((item, at) => JSON.stringify(render(item, from + at)));
    const end = from + together >= items.length ? ']' : '';
    yield `${from === 0 ? '[' : ','}${rendered.join(',')}${end}`;
  }
}

/** A JSON object in pieces; a member that is an iterator gives its own pieces, anything else is rendered whole. Undefined ones are left out. */
export function* objectPieces(members: Readonly<Record<string, unknown>>): Generator<string> {
  let before = '{';
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    before = ',';
    if (isPieces(value)) yield* value;
    else yield JSON.stringify(value);
  }
  yield before === '{' ? '{}' : '}';
}

function isPieces(value: unknown): value is Generator<string> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value && 'next' in value;
}
