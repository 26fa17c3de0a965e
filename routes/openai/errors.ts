import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { TillerError } from '../../engine/core/index.ts';
import { errorHeaders, presentableError, reportFailure, statusOf } from '../http/errors.ts';
import type { AppEnv } from '../http/router.ts';
import { dataEvent, doneEvent } from '../http/sse.ts';
import type { Services } from '../services.ts';

/** OpenAI's error object; `suggestions` is an addition of ours. */
export const openAiErrorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
      suggestions: z.array(z.string()).optional().openapi({ description: 'Nearest existing names, best first.' }),
    }),
  })
  .openapi('OpenAIError');

export type OpenAiError = z.infer<typeof openAiErrorSchema>;

/** The shape of `errorResponses` for OpenAI operations. */
export const openAiErrorShape = { schema: openAiErrorSchema, mediaType: 'application/json' } as const;

/** An error in OpenAI's shape, for a body or for an event in a stream. */
export function openAiError(error: TillerError): OpenAiError {
  return {
    error: {
      message: error.message,
      type: typeOf(statusOf(error.code)),
      param: error.param ?? null,
      code: error.code,
      ...(error.suggestions.length === 0 ? {} : { suggestions: [...error.suggestions] }),
    },
  };
}

/** The answer to a failed request of this dialect. */
export function openAiErrorResponse(error: TillerError): Response {
  return new Response(JSON.stringify(openAiError(error)), {
    status: statusOf(error.code),
    headers: { 'Content-Type': 'application/json', ...errorHeaders(error) },
  });
}

/** Tells a failure inside a stream that has begun: the error object as an event, then the end. */
export function streamFailure(services: Services, c: Context<AppEnv>, route: string): (thrown: unknown) => string {
  return (thrown) => {
    reportFailure(services, thrown, { requestId: c.get('requestId'), route });
    return dataEvent(openAiError(presentableError(thrown))) + doneEvent;
  };
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error';
  if (status === 503) return 'service_unavailable_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
