/**
 * Every failure that a caller can meet, as a typed code. HTTP statuses and dialect shapes are chosen elsewhere
 * (routes/http/errors.ts), from the code alone: nothing ever parses a message.
 */
export const errorCodes = [
  // the request is malformed
  'invalid_json',
  'invalid_request',
  'unknown_field',
  'unsupported',
  'context_length_exceeded',
  'body_too_large',
  'unsupported_media_type',
  'too_many_edits',
  'answer_too_large',
  'not_acceptable',
  // something named does not exist
  'route_not_found',
  'method_not_allowed',
  'model_not_found',
  'profile_not_found',
  'source_not_found',
  'feature_not_found',
  'vector_not_found',
  'hook_point_not_found',
  'job_not_found',
  // it exists, but it cannot be done exactly
  'edit_not_applicable',
  'edits_conflict',
  'statistics_missing',
  // the service cannot take or finish it now
  'model_busy',
  'in_use',
  'queue_full',
  'queue_timeout',
  'not_ready',
  'draining',
  'cancelled',
  'deadline_exceeded',
  'step_failed',
  // loading a model or a dictionary
  'checkpoint_invalid',
  'checkpoint_unsupported',
  'source_invalid',
  'source_unsupported',
  // the registry's file
  'store_invalid',
  // the model that labels and judges
  'labeller_unavailable',
  'labeller_refused',
  'model_unavailable',
  'checksum_mismatch',
  'disk_full',
  'runtime_unavailable',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorDetails {
  /** Path of the field at fault, as the client wrote it: `steering.edits[0].strength`. */
  readonly param?: string;
  /** Nearest existing names, best first. */
  readonly suggestions?: readonly string[];
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** The one error class of Tiller. `message` says what is wrong and the way out, for a person. */
export class TillerError extends Error {
  readonly code: ErrorCode;
  readonly param?: string;
  readonly suggestions: readonly string[];
  readonly retryAfterSeconds?: number;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TillerError';
    this.code = code;
    this.param = details.param;
    this.suggestions = details.suggestions ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** Any thrown value as a TillerError; what is not one already becomes `fallback`. */
export function asTillerError(error: unknown, fallback: ErrorCode = 'internal'): TillerError {
  if (error instanceof TillerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TillerError(fallback, message, { cause: error });
}
