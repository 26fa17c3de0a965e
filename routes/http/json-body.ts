import type { z } from '@hono/zod-openapi';
import { distance } from 'fastest-levenshtein';
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { every } from 'hono/combine';
import { TillerError } from '../../engine/core/index.ts';
import { locateJsonError } from './json-error.ts';
import { misspellingOf } from './known-fields.ts';
import type { AppEnv, Warning } from './router.ts';
import { validationError } from './validation.ts';

const jsonMediaType = /^application\/(?:[\w.-]+\+)?json\s*(?:;.*)?$/i;

/**
 * Middleware of every route with a JSON body, in order: the media type, the size (413 with the limit), the syntax (400 with
 * the position), the names of the top-level fields (a misspelling is refused, anything else unknown becomes a warning).
 * The values themselves are checked by the route's schema and `bodyHook`.
 */
export function jsonBody(schema: z.ZodObject, limitBytes: number): MiddlewareHandler<AppEnv> {
  const known = Object.keys(schema.shape);
  const readBody: MiddlewareHandler<AppEnv> = async (c, next) => {
    const body = parseObject(await c.req.text());
    c.set('warnings', unknownFieldWarnings(body, known));
    await next();
  };
  return every(checkMediaType, bodyLimit({ maxSize: limitBytes, onError: () => refuseSize(limitBytes) }), readBody);
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

const checkMediaType: MiddlewareHandler<AppEnv> = async (c, next) => {
  const mediaType = c.req.header('content-type');
  if (mediaType === undefined || !jsonMediaType.test(mediaType)) {
    const got = mediaType === undefined ? 'no Content-Type' : `'${mediaType.slice(0, 100)}'`;
    throw new TillerError('unsupported_media_type', `This route reads application/json; the request has ${got}.`, {
      param: 'Content-Type',
    });
  }
  await next();
};

function refuseSize(limitBytes: number): never {
  throw new TillerError('body_too_large', `The body is larger than the limit of ${limitBytes} bytes.`);
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
      const meant = misspellingOf(field, known, distance);
      if (meant === null) return { param: field, message: `Unknown field '${field}': it had no effect.` };
      throw new TillerError('unknown_field', `Unknown field '${field}'. Did you mean '${meant}'?`, {
        param: field,
        suggestions: [meant],
      });
    });
}
