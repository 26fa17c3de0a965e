import type { z } from '@hono/zod-openapi';
import type { ErrorCode } from '../../engine/core/index.ts';
import { problemSchema, statusOf, titleOf } from './errors.ts';

/** Failures that any route with a body can meet before its own work begins. */
export const bodyErrors = [
  'invalid_json',
  'invalid_request',
  'unknown_field',
  'body_too_large',
  'unsupported_media_type',
  'not_ready',
  'draining',
  'internal',
] as const satisfies readonly ErrorCode[];

/** Failures of naming and applying edits. */
export const steeringErrors = [
  'too_many_edits',
  'profile_not_found',
  'source_not_found',
  'feature_not_found',
  'vector_not_found',
  'hook_point_not_found',
  'edit_not_applicable',
  'edits_conflict',
  'statistics_missing',
] as const satisfies readonly ErrorCode[];

/** Failures of running a prompt through a model. */
const runErrors = [
  'unsupported',
  'context_length_exceeded',
  'model_not_found',
  'model_unavailable',
  'queue_full',
  'queue_timeout',
  'step_failed',
] as const satisfies readonly ErrorCode[];

/** Failures of generating. */
export const generationErrors = [
  ...bodyErrors,
  ...steeringErrors,
  ...runErrors,
  'deadline_exceeded',
] as const satisfies readonly ErrorCode[];

/** Failures of reading the features of a text. */
export const readingErrors = [
  ...bodyErrors,
  'source_not_found',
  'source_invalid',
  ...runErrors,
  'cancelled',
] as const satisfies readonly ErrorCode[];

/** Failures of naming a feature in the path. */
export const featureErrors = [
  'model_not_found',
  'source_not_found',
  'feature_not_found',
  'not_ready',
  'draining',
  'internal',
] as const satisfies readonly ErrorCode[];

interface DocumentedResponse {
  readonly description: string;
  readonly content: Record<string, { readonly schema: z.ZodType }>;
}

/**
 * Error responses of an operation for its OpenAPI entry, from the codes it can fail with: one entry a status, derived from
 * the same table as the statuses themselves, so that the two cannot drift apart.
 */
export function errorResponses(
  codes: readonly ErrorCode[],
  shape: { readonly schema: z.ZodType; readonly mediaType: string } = {
    schema: problemSchema,
    mediaType: 'application/problem+json',
  },
): Record<number, DocumentedResponse> {
  const responses: Record<number, DocumentedResponse> = {};
  for (const status of new Set(codes.map(statusOf))) {
    const here = [...new Set(codes)].filter((code) => statusOf(code) === status);
    responses[status] = {
      description: here.map((code) => `\`${code}\`: ${titleOf(code)}`).join('; '),
      content: { [shape.mediaType]: { schema: shape.schema } },
    };
  }
  return responses;
}
