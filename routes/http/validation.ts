import type { z } from '@hono/zod-openapi';
import { nearest, TillerError } from '../../engine/core/index.ts';
import { knownFields } from './known-fields.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** `['messages', 0, 'content']` as a client would write it: `messages[0].content`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** The value at a path of parsed JSON; undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    root,
  );
}

/**
 * The one failure to report of a body that does not fit its schema: an unknown field before anything else, because a
 * misspelt field usually is why another is missing; otherwise the first. A number inside `steering` that is not finite
 * (JSON can spell 1e999) is not malformed, it cannot be applied: 422.
 */
export function validationError(error: z.ZodError, schema: z.ZodType, body: unknown): TillerError {
  const issue = mostTelling(error.issues.map((found) => deepest(found as Issue)));
  if (!issue) return new TillerError('invalid_request', 'The request is not valid.');
  if (issue.code === 'unrecognized_keys') return unknownField(issue.path, issue.keys[0] ?? '', schema);
  const param = formatPath(issue.path);
  const value = valueAt(body, issue.path);
  if (typeof value === 'number' && !Number.isFinite(value) && issue.path[0] === 'steering') {
    return new TillerError('edit_not_applicable', `'${param}' is not a finite float, so no edit can be made of it.`, {
      param,
    });
  }
  return invalidValue(issue, param, value);
}

/** The failure of a query string or path parameter. */
export function queryError(error: z.ZodError): TillerError {
  const issue = error.issues[0] as Issue | undefined;
  if (!issue) return new TillerError('invalid_request', 'The request is not valid.');
  if (issue.code === 'unrecognized_keys') {
    return new TillerError('unknown_field', `Unknown parameter '${issue.keys[0]}'.`, { param: issue.keys[0] });
  }
  return invalidValue(issue, formatPath(issue.path), undefined);
}

function invalidValue(issue: Issue, param: string, value: unknown): TillerError {
  const where = param === '' ? 'The body' : `'${param}'`;
  const missing = value === undefined && issue.code === 'invalid_type';
  const message = missing ? `${where} is missing.` : `${where} is not valid: ${explain(issue)}.`;
  const suggestions =
    issue.code === 'invalid_value' && typeof value === 'string' ? nearest(value, issue.values.map(String)) : [];
  return new TillerError('invalid_request', message, { param: param || undefined, suggestions });
}

/** Zod's own message, and for a union whose every branch wanted another type, those types. */
function explain(issue: Issue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const expected = issue.errors.flatMap(([first]) => {
    if (first?.code === 'invalid_type') return [first.expected];
    return first?.code === 'invalid_value' ? [`one of ${first.values.join(', ')}`] : [];
  });
  return expected.length === 0 ? issue.message : `expected ${[...new Set(expected)].join(' or ')}`;
}

function unknownField(path: Path, key: string, schema: z.ZodType): TillerError {
  const known = knownFields(schema, path);
  const param = formatPath([...path, key]);
  const suggestions = nearest(key, known);
  const hint = suggestions[0] === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean '${suggestions[0]}'?`;
  return new TillerError('unknown_field', `Unknown field '${param}'. ${hint}`, { param, suggestions });
}

function mostTelling(issues: readonly Issue[]): Issue | undefined {
  return issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
}

/**
 * The telling issue of a union: of the branch that came furthest, which is the one whose outermost type was right. The
 * paths inside a union's branches start at the union.
 */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const branches = issue.errors.flatMap((branch) => mostTelling(branch.map((inner) => deepest(inner as Issue))) ?? []);
  const best = branches.toSorted((a, b) => progress(b) - progress(a))[0];
  if (!best || progress(best) === 0) return issue;
  return { ...best, path: [...issue.path, ...best.path] };
}

/** How far a branch came: deeper is further; an unknown field says more than a wrong value, and that more than a wrong type. */
function progress(issue: Issue): number {
  const told = issue.code === 'invalid_type' ? 0 : issue.code === 'unrecognized_keys' ? 2 : 1;
  return issue.path.length * 3 + told;
}
