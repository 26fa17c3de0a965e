import { z } from 'zod';
import { asTillerError, errorCodes, TillerError } from '../engine/index.ts';

const problemSchema = z.union([
  z.object({
    code: z.enum(errorCodes),
    detail: z.string(),
    param: z.string().nullish(),
    suggestions: z.array(z.string()).optional(),
  }),
  z.object({ error: z.object({ message: z.string(), param: z.string().nullish() }) }).transform(({ error }) => ({
    code: 'invalid_request' as const,
    detail: error.message,
    param: error.param,
    suggestions: undefined,
  })),
]);

/** What a route's problem document or OpenAI's error object says, as an error of this process. */
export function refusalOf(answer: unknown): TillerError {
  const problem = problemSchema.safeParse(answer);
  if (!problem.success) return asTillerError(new Error(`The route answered ${JSON.stringify(answer)}.`));
  const { code, detail, param, suggestions } = problem.data;
  return new TillerError(code, detail, { param: param ?? undefined, suggestions });
}

/** The same with the field in its message, for a person. */
export function refusalWithField(refusal: TillerError): TillerError {
  const { code, message, param, suggestions } = refusal;
  const isSaid = param === undefined || message.includes(param);
  return isSaid ? refusal : new TillerError(code, `${param}: ${message}`, { param, suggestions });
}
