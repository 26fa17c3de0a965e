import type { z } from '@hono/zod-openapi';
import { distance } from 'fastest-levenshtein';
import type { Context, MiddlewareHandler } from 'hono';
import { every } from 'hono/combine';
import { duplicateKey, TillerError } from '../../engine/core/index.ts';
import type { Services } from '../services.ts';
import { locateJsonError } from './json-error.ts';
import { misspellingOf } from './known-fields.ts';
import { checkMediaType, limitSize, readBytes } from './read-body.ts';
import type { AppEnv, Warning } from './router.ts';
import { editSchema, steeringSchema } from './steering-schema.ts';
import { validationError } from './validation.ts';

const jsonMediaType = /^application\/(?:[\w.-]+\+)?json\s*(?:;.*)?$/i;

/**
 * Middleware of every route with a JSON body, in order: the media type, the size (413 with the limit), the syntax (400 with
 * the position), the number of values (400), fields that stand twice (400), the names of the top-level fields (a misspelling
 * is refused, anything else unknown becomes a warning).
 * The values themselves are checked by the route's schema and `bodyHook`.
 */
export function jsonBody(schema: z.ZodObject, services: Services): MiddlewareHandler<AppEnv> {
  const known = Object.keys(schema.shape);
  const limitBytes = services.limits.bodyBytes;
  const readBody: MiddlewareHandler<AppEnv> = async (c, next) => {
    const text = decodeUtf8(await readBytes(c));
    const body = parseObject(text);
    refuseTooManyValues(body, services);
    refuseDuplicates(text);
    c.set('warnings', unknownFieldWarnings(body, known));
    await next();
  };
  return every(checkMediaType(jsonMediaType, 'application/json'), limitSize(limitBytes), readBody);
}

/** Hook for `openapi(route, handler, hook)`: what does not fit the schema becomes a typed error with the field's path. */
export function bodyHook(schema: z.ZodObject) {
  type Result = { readonly success: true } | { readonly success: false; readonly error: z.ZodError };
  return (result: Result, c: Context<AppEnv>): Promise<never> | undefined => {
    if (result.success) return undefined;
    return c.req.json().then((body) => {
      throw validationError(result.error, schema, body);
    });
  };
}

/** JSON is UTF-8 (RFC 8259); what is not would be another prompt than the client meant. A byte order mark is passed over. */
function decodeUtf8(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TillerError('invalid_json', 'The body is not UTF-8, which JSON has to be.', { cause });
  }
}

/** Values that any request may hold; prompts of token ids may have more where the context is long. */
const usualValues = 65_536;

/**
 * Refuses bodies of millions of small values, whose checking would hold up everybody else for seconds: array items and
 * object members, at any depth.
 */
function refuseTooManyValues(body: Record<string, unknown>, services: Services): void {
  const context = Math.max(0, ...services.models().map(({ service }) => service?.card.contextLength ?? 0));
  const limit = Math.max(usualValues, 2 * context * services.limits.maxChoices);
  const open: object[] = [body];
  let values = 0;
  for (let container = open.pop(); container; container = open.pop()) {
    const items: readonly unknown[] = Array.isArray(container) ? container : Object.values(container);
    values += items.length;
    if (values > limit) {
      throw new TillerError('invalid_request', `The body holds more than ${limit} values: send less at once.`);
    }
    for (const item of items) if (typeof item === 'object' && item !== null) open.push(item);
  }
}

/** Of two fields of one name the parser would keep the last and drop the first without a word: steering, perhaps. */
function refuseDuplicates(text: string): void {
  const key = duplicateKey(text);
  if (key === undefined) return;
  throw new TillerError('invalid_request', `The field '${key}' stands twice in one object: send it once.`, {
    param: key,
  });
}

function parseObject(text: string): Record<string, unknown> {
  const body = parse(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new TillerError('invalid_request', 'The body must be a JSON object.');
  }
  return body as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { offset, line, column } = locateJsonError(text);
    const what = offset >= text.length ? 'it ends too early' : `unexpected ${JSON.stringify(text[offset])}`;
    const message = `The body is not JSON: ${what} at position ${offset} (line ${line}, column ${column}).`;
    throw new TillerError('invalid_json', message, { cause });
  }
}

function unknownFieldWarnings(body: Record<string, unknown>, known: readonly string[]): Warning[] {
  return Object.keys(body)
    .filter((field) => !known.includes(field))
    .map((field) => {
      if (field === 'extra_body') throw extraBody();
      if (known.includes('steering') && steeringFields.includes(field)) throw misplaced(field);
      const meant = misspellingOf(field, known, distance);
      if (meant === null) return { param: field, message: `Unknown field '${field}': it had no effect.` };
      throw new TillerError('unknown_field', `Unknown field '${field}'. Did you mean '${meant}'?`, {
        param: field,
        suggestions: [meant],
      });
    });
}

/** Fields of a steering and of its edits: at the top level they would have no effect. */
const steeringFields = [...Object.keys(steeringSchema.shape), ...Object.keys(editSchema.shape)];

function misplaced(field: string): TillerError {
  const place = field in steeringSchema.shape ? "'steering'" : "an edit of 'steering.edits'";
  return new TillerError('unknown_field', `'${field}' belongs in ${place}, not at the top level.`, { param: field });
}

/** Steering inside `extra_body` would have no effect, and text that silently goes unsteered must not happen. */
function extraBody(): TillerError {
  const message =
    "'extra_body' is an argument of OpenAI's Python client, not a field: put what is in it beside 'model', at the top level.";
  return new TillerError('unknown_field', message, { param: 'extra_body' });
}
