import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { sourceInvalid } from './source-error.ts';

/** Longest line that is read; a feature's record takes about a kilobyte. */
export const maxLineBytes = 2 ** 20;

/** A line as it was read, or why it cannot be. */
export type JsonLine<T> = { readonly number: number } & (
  | { readonly value: T; readonly reason: null }
  | { readonly value: null; readonly reason: string }
);

/**
 * The lines of a JSON Lines file, one at a time, checked by `schema`; empty lines are passed over. Throws `source_invalid`
 * naming file and line.
 */
export async function* readJsonLines<T>(path: string, schema: z.ZodType<T>): AsyncGenerator<T> {
  for await (const { number, value, reason } of eachJsonLine(createReadStream(path), schema)) {
    if (reason !== null) throw sourceInvalid(`${path}, line ${number} ${reason}`);
    yield value;
  }
}

/** The lines of any stream of bytes, good and bad. Not a byte more than the longest line is held. */
export async function* eachJsonLine<T>(
  chunks: AsyncIterable<Uint8Array>,
  schema: z.ZodType<T>,
): AsyncGenerator<JsonLine<T>> {
  let number = 0;
  for await (const bytes of splitLines(chunks)) {
    number++;
    const line = bytes === null ? `is longer than ${maxLineBytes} bytes.` : parseLine(bytes, schema);
    if (line === null) continue;
    yield typeof line === 'string'
      ? { number, value: null, reason: line }
      : { number, value: line.value, reason: null };
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The value of a line, null of an empty one, or the reason why it has none. */
function parseLine<T>(bytes: Uint8Array, schema: z.ZodType<T>): { readonly value: T } | string | null {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return 'is not UTF-8.';
  }
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON.';
  }
  const checked = schema.safeParse(value);
  return checked.success ? { value: checked.data } : `is malformed: ${z.prettifyError(checked.error)}`;
}

/** Lines without their ends; null of one that is too long, which is passed over. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | null> {
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      if (skipping) yield null;
      else yield end - start > maxLineBytes ? null : rest.subarray(start, end);
      skipping = false;
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > maxLineBytes) {
      skipping = true;
      rest = Buffer.alloc(0);
    }
  }
  if (skipping) yield null;
  else if (rest.length > 0) yield rest;
}
