import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { sourceInvalid } from './source-error.ts';

/** Longest line that is read; a feature's record takes about a kilobyte. */
const maxLineBytes = 2 ** 20;

export interface JsonLine<T> {
  readonly value: T;
  /** Where the line lies in the file, in bytes. */
  readonly offset: number;
  readonly length: number;
}

/**
 * The lines of a JSON Lines file, one at a time, checked by `schema`; empty lines are passed over. Throws `source_invalid`
 * naming file and line. `onBytes` sees every byte, for a hash.
 */
export async function* readJsonLines<T>(
  path: string,
  schema: z.ZodType<T>,
  onBytes: (bytes: Uint8Array) => void = () => {},
): AsyncGenerator<JsonLine<T>> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let number = 0;
  const parse = (line: Buffer): JsonLine<T> | null => {
    const at = { offset, length: line.length };
    offset += line.length + 1;
    number++;
    const text = line.toString('utf8');
    return text.trim() === '' ? null : { value: parseJsonLine(text, schema, `${path}, line ${number}`), ...at };
  };
  for await (const chunk of createReadStream(path)) {
    const bytes: Buffer = chunk;
    onBytes(bytes);
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      const line = parse(rest.subarray(start, end));
      start = end + 1;
      if (line) yield line;
    }
    rest = rest.subarray(start);
    if (rest.length > maxLineBytes)
      throw sourceInvalid(`${path}, line ${number + 1} is longer than ${maxLineBytes} bytes.`);
  }
  const line = rest.length === 0 ? null : parse(rest);
  if (line) yield line;
}

/** One line of JSON, checked; `where` says in an error which one. */
export function parseJsonLine<T>(text: string, schema: z.ZodType<T>, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw sourceInvalid(`${where} is not JSON.`, error);
  }
  const checked = schema.safeParse(value);
  if (!checked.success) throw sourceInvalid(`${where} is malformed: ${z.prettifyError(checked.error)}`);
  return checked.data;
}
