import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { TillerError } from '../../engine/core/index.ts';
import type { AppEnv } from './router.ts';

/** How much more than the limit is read and thrown away, as a multiple of it. */
const discardedLimits = 8;

/** Refuses what is too large; a body without a length is read for it. */
export function limitSize(limitBytes: number): MiddlewareHandler<AppEnv> {
  const limit = bodyLimit({ maxSize: limitBytes, onError: (c) => refuseSize(c, limitBytes) });
  return async (c, next) => {
    let isRead = false;
    const goOn = () => {
      isRead = true;
      return next();
    };
    try {
      return await limit(c, goOn);
    } catch (thrown) {
      throw isRead ? thrown : clientLeft(thrown);
    }
  };
}

/** Refuses a body of another media type; `reads` says in the error what the route takes. */
export function checkMediaType(pattern: RegExp, reads: string): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const mediaType = c.req.header('content-type');
    if (mediaType === undefined || !pattern.test(mediaType)) {
      const got = mediaType === undefined ? 'no Content-Type' : `'${mediaType.slice(0, 100)}'`;
      throw new TillerError('unsupported_media_type', `This route reads ${reads}; the request has ${got}.`, {
        param: 'Content-Type',
      });
    }
    await next();
  };
}

/** All of a body. Throws `cancelled` where the client leaves while sending it, which is no failure of the service. */
export async function readBytes(c: Context<AppEnv>): Promise<ArrayBuffer> {
  try {
    return await c.req.arrayBuffer();
  } catch (thrown) {
    throw clientLeft(thrown);
  }
}

/**
 * Refuses a body over the limit. A client that is still sending reads no answer, so the rest is thrown away first, within
 * bounds; then the connection closes, since nothing can follow a body that was not read.
 */
async function refuseSize(c: Context, limitBytes: number): Promise<never> {
  c.header('Connection', 'close');
  const { body } = c.req.raw;
  if (body && !body.locked) {
    let left = discardedLimits * limitBytes;
    const reader = body.getReader();
    for (let chunk = await reader.read(); !chunk.done && left > 0; chunk = await reader.read())
      left -= chunk.value.length;
  }
  throw new TillerError('body_too_large', `The body is larger than the limit of ${limitBytes} bytes.`);
}

function clientLeft(cause: unknown): TillerError {
  if (cause instanceof TillerError) return cause;
  return new TillerError('cancelled', 'The client left before its request was complete.', { cause });
}
