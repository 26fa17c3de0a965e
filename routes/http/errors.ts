import { z } from '@hono/zod-openapi';
import { asTillerError, type ErrorCode, TillerError } from '../../engine/core/index.ts';
import type { Services } from '../services.ts';

/**
 * What each failure is over HTTP, from its code alone. The record is exhaustive: a new code does not compile until it has
 * a status. 499 is nginx's "client closed request"; nobody is left to read it, but the metrics see it.
 */
const failures: Record<ErrorCode, { readonly status: number; readonly title: string }> = {
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_request: { status: 400, title: 'The request is not valid' },
  unknown_field: { status: 400, title: 'Unknown field' },
  unsupported: { status: 400, title: 'Not supported' },
  context_length_exceeded: { status: 400, title: 'Longer than the context' },
  too_many_edits: { status: 400, title: 'Too many edits' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'Not a media type that this route reads' },
  answer_too_large: { status: 422, title: 'The answer would be too large' },
  not_acceptable: { status: 406, title: 'Not a media type that this route answers with' },
  route_not_found: { status: 404, title: 'No such route' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  model_not_found: { status: 404, title: 'No such model' },
  profile_not_found: { status: 404, title: 'No such profile' },
  source_not_found: { status: 404, title: 'No such source' },
  feature_not_found: { status: 404, title: 'No such feature' },
  vector_not_found: { status: 404, title: 'No such vector' },
  hook_point_not_found: { status: 404, title: 'No such hook point' },
  job_not_found: { status: 404, title: 'No such job' },
  edit_not_applicable: { status: 422, title: 'The edit cannot be applied exactly' },
  edits_conflict: { status: 422, title: 'Edits conflict' },
  statistics_missing: { status: 422, title: 'No statistics for this unit' },
  model_busy: { status: 409, title: 'The model is in use' },
  in_use: { status: 409, title: 'In use' },
  queue_full: { status: 429, title: 'The queue is full' },
  queue_timeout: { status: 503, title: 'Waited too long in the queue' },
  not_ready: { status: 503, title: 'Not ready yet' },
  draining: { status: 503, title: 'Shutting down' },
  cancelled: { status: 499, title: 'The client went away' },
  deadline_exceeded: { status: 504, title: 'Deadline exceeded' },
  step_failed: { status: 500, title: 'The model failed while it ran' },
  checkpoint_invalid: { status: 500, title: 'The checkpoint is damaged' },
  checkpoint_unsupported: { status: 500, title: 'The checkpoint is not supported' },
  source_invalid: { status: 500, title: 'The source is damaged' },
  source_unsupported: { status: 500, title: 'The source is not supported' },
  store_invalid: { status: 500, title: 'Registry file invalid' },
  labeller_unavailable: { status: 503, title: 'The labeller does not answer' },
  labeller_refused: { status: 502, title: 'The labeller refuses' },
  model_unavailable: { status: 503, title: 'The model is not available' },
  checksum_mismatch: { status: 500, title: 'A downloaded file is not what it should be' },
  disk_full: { status: 507, title: 'The disk is full' },
  runtime_unavailable: { status: 503, title: 'The runtime is not available' },
  internal: { status: 500, title: 'Internal error' },
};

/** HTTP status of an error code. */
export function statusOf(code: ErrorCode): number {
  return failures[code].status;
}

/** Short title of an error code, the same for every occurrence. */
export function titleOf(code: ErrorCode): string {
  return failures[code].title;
}

/**
 * What a client may be told of a thrown value: a TillerError as it is, anything else as `internal` without its message,
 * which was written for programmers and may hold paths.
 */
export function presentableError(thrown: unknown): TillerError {
  if (thrown instanceof TillerError) return thrown;
  return new TillerError(
    'internal',
    'Something went wrong inside the service; its log has the details under this request id.',
    {
      cause: asTillerError(thrown),
    },
  );
}

/** Hands a failure of ours, as opposed to the client's, to the log. */
export function reportFailure(
  services: Services,
  thrown: unknown,
  context: { readonly requestId: string; readonly route: string },
): void {
  if (statusOf(presentableError(thrown).code) === 500) services.unexpected?.(thrown, context);
}

/** The same error with the field that this request named the thing in; anything but a TillerError as it is. */
export function withParam(thrown: unknown, param: string): unknown {
  if (!(thrown instanceof TillerError)) return thrown;
  return new TillerError(thrown.code, thrown.message, {
    param,
    suggestions: thrown.suggestions,
    retryAfterSeconds: thrown.retryAfterSeconds,
    cause: thrown.cause,
  });
}

/** Headers that belong to an error whatever its shape: Retry-After where trying again makes sense. */
export function errorHeaders(error: TillerError): Record<string, string> {
  const seconds = error.retryAfterSeconds ?? defaultRetryAfter[error.code];
  return seconds === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
}

const defaultRetryAfter: Partial<Record<ErrorCode, number>> = {
  queue_full: 1,
  queue_timeout: 5,
  not_ready: 2,
  draining: 5,
};

/** RFC 9457 problem document, the shape of native errors. `type` is a URN: it identifies, it does not resolve. */
export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:tiller:problem:feature_not_found' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().openapi({ description: 'What is wrong and the way out, for a person.' }),
    instance: z.string().openapi({ description: 'The request path and id that this happened to.' }),
    code: z.string().openapi({ description: 'Typed code; programs decide by this.' }),
    param: z.string().optional().openapi({ description: 'Path of the field at fault, as the client wrote it.' }),
    suggestions: z.array(z.string()).optional().openapi({ description: 'Nearest existing names, best first.' }),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof problemSchema>;

/** An error as a problem document; `instance` is the path, with the request id as its fragment. */
export function problemDocument(error: TillerError, path: string, requestId: string): Problem {
  return {
    type: `urn:tiller:problem:${error.code}`,
    title: titleOf(error.code),
    status: statusOf(error.code),
    detail: error.message,
    instance: `${path}#${requestId}`,
    code: error.code,
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.suggestions.length === 0 ? {} : { suggestions: [...error.suggestions] }),
  };
}

/** The answer to a failed native request. */
export function problemResponse(error: TillerError, path: string, requestId: string): Response {
  return new Response(JSON.stringify(problemDocument(error, path, requestId)), {
    status: statusOf(error.code),
    headers: { 'Content-Type': 'application/problem+json', ...errorHeaders(error) },
  });
}

/** The same with the failure's field under the name that it has on this route. */
export async function renamingParam<T>(work: Promise<T>, rename: (param: string) => string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof TillerError) || error.param === undefined) throw error;
    const { code, message, param, suggestions, retryAfterSeconds } = error;
    throw new TillerError(code, message, { param: rename(param), suggestions, retryAfterSeconds, cause: error });
  }
}
