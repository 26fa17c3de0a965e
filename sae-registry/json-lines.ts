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

/** What lines must be: a schema, and where that takes too long for millions of lines, a check of its plainest cases. */
export interface LineShape<T> {
  readonly schema: z.ZodType<T>;
  /** Whether the schema would give this very value. All others are the schema's to take or to refuse. */
  isPlain(value: unknown): value is T;
}

/**
 * The lines of a JSON Lines file, one at a time, checked by `shape`; empty lines are passed over. Throws `source_invalid`
 * naming file and line.
 */
export async function* readJsonLines<T>(path: string, shape: z.ZodType<T> | LineShape<T>): AsyncGenerator<T> {
  for await (const values of readJsonBatches(path, shape)) for (const value of values) yield value;
}

/** The same, as many at a time as were read together: waiting for each line would take longer than reading it. */
export async function* readJsonBatches<T>(path: string, shape: z.ZodType<T> | LineShape<T>): AsyncGenerator<T[]> {
  for await (const lines of eachJsonBatch(createReadStream(path), shape)) {
    yield lines.map(({ number, value, reason }) => {
      if (reason !== null) throw sourceInvalid(`${path}, line ${number} ${reason}`);
      return value;
    });
  }
}

/** The lines of any stream of bytes, good and bad. Not a byte more than the longest line is held. */
export async function* eachJsonLine<T>(
  chunks: AsyncIterable<Uint8Array>,
  shape: z.ZodType<T> | LineShape<T>,
): AsyncGenerator<JsonLine<T>> {
  for await (const lines of eachJsonBatch(chunks, shape)) for (const line of lines) yield line;
}

async function* eachJsonBatch<T>(
  chunks: AsyncIterable<Uint8Array>,
  shape: z.ZodType<T> | LineShape<T>,
): AsyncGenerator<JsonLine<T>[]> {
  const { schema, isPlain } = 'isPlain' in shape ? shape : { schema: shape, isPlain: null };
  let number = 0;
  for await (const texts of splitLines(chunks)) {
    const lines: JsonLine<T>[] = [];
    for (const bytes of texts) {
      number++;
      const line = bytes === null ? `is longer than ${maxLineBytes} bytes.` : parseLine(bytes, schema, isPlain);
      if (line === null) continue;
      if (typeof line === 'string') lines.push({ number, value: null, reason: line });
      else lines.push({ number, value: line.value, reason: null });
    }
    if (lines.length > 0) yield lines;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The value of a line, null of an empty one, or the reason why it has none. */
function parseLine<T>(
  bytes: Uint8Array,
  schema: z.ZodType<T>,
  isPlain: LineShape<T>['isPlain'] | null,
): { readonly value: T } | string | null {
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
  if (isPlain?.(value)) return { value };
  const checked = schema.safeParse(value);
  return checked.success ? { value: checked.data } : `is malformed: ${z.prettifyError(checked.error)}`;
}

/** Lines that are handed on together at most. */
const mostTogether = 256;

/** Lines without their ends, those of a chunk at a time; null of one that is too long, which is passed over. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<(Uint8Array | null)[]> {
  let rest: Buffer = Buffer.alloc(0);
  let skipping = false;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let lines: (Uint8Array | null)[] = [];
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      lines.push(skipping || end - start > maxLineBytes ? null : rest.subarray(start, end));
      skipping = false;
      start = end + 1;
      if (lines.length < mostTogether) continue;
      yield lines;
      lines = [];
    }
    rest = rest.subarray(start);
    if (rest.length > maxLineBytes) {
      skipping = true;
      rest = Buffer.alloc(0);
    }
    if (lines.length > 0) yield lines;
  }
  if (skipping) yield [null];
  else if (rest.length > 0) yield [rest];
}
