import { nearest, TillerError } from '../../engine/core/index.ts';
import type { ComparisonRequest, ConditionRequest, ReadVector, RuleRequest } from '../rules-port.ts';
import { invalid, toEditRequest } from './edit-request.ts';
import { decodeFloat32 } from './float32.ts';
import { type ComparisonBody, comparisonSchema, type RuleBody } from './rules-schema.ts';
import { formatPath } from './validation.ts';

/** Most rules of a request, comparisons of all of them, and conditions inside each other. */
export const ruleLimits = { rules: 16, comparisons: 64, depth: 8 } as const;

const groups = ['all', 'any', 'not'] as const;

/**
 * The field `steering.rules` as the port takes it. Refuses, naming the part of the condition: what is no condition, what is empty, too
 * deep or too much; numbers that are not finite; and rules that both stop and edit.
 */
export function toRuleRequests(rules: readonly RuleBody[]): RuleRequest[] {
  if (rules.length > ruleLimits.rules) {
    const message = `${rules.length} rules are more than the limit of ${ruleLimits.rules} a request: send fewer.`;
    throw invalid(message, 'steering.rules');
  }
  let comparisons = 0;
  const counted = (param: string) => {
    if (++comparisons <= ruleLimits.comparisons) return;
    throw invalid(`Rules may make ${ruleLimits.comparisons} comparisons together, and this is one more.`, param);
  };
  return rules.map((rule, index) => {
    const param = `steering.rules[${index}]`;
    const edits = (rule.do ?? []).map((edit, at) => toEditRequest(edit, `${param}.do[${at}]`));
    const stop = rule.stop ?? false;
    if (stop && edits.length > 0) {
      throw invalid("A rule that stops the reply leaves no token to edit: leave out 'do', or 'stop'.", `${param}.do`);
    }
    const when = toCondition(rule.when, `${param}.when`, 1, counted);
    return { when, latch: rule.latch ?? false, edits, stop, param };
  });
}

function toCondition(body: unknown, param: string, depth: number, counted: (param: string) => void): ConditionRequest {
  if (depth > ruleLimits.depth) {
    throw invalid(`Conditions stand at most ${ruleLimits.depth} inside each other: write this one flatter.`, param);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('A condition is an object: all, any, not, or a comparison of a feature, vector or probe.', param);
  }
  const group = groups.find((name) => Object.hasOwn(body, name));
  if (group === undefined) {
    counted(param);
    return toComparison(body, param);
  }
  const stray = Object.keys(body).find((name) => name !== group);
  if (stray !== undefined)
    throw invalid(`'${group}' stands alone in a condition, without '${stray}'.`, `${param}.${stray}`);
  const inner: unknown = Reflect.get(body, group);
  const inside = `${param}.${group}`;
  if (group === 'not') return { kind: 'not', of: toCondition(inner, inside, depth + 1, counted) };
  if (!Array.isArray(inner)) throw invalid(`'${group}' takes a list of conditions.`, inside);
  if (inner.length === 0) throw invalid(`'${group}' has no condition in it: it would hold always or never.`, inside);
  return {
    kind: group,
    of: inner.map((one: unknown, at) => toCondition(one, `${inside}[${at}]`, depth + 1, counted)),
  };
}

function toComparison(body: object, param: string): ComparisonRequest {
  const fields = checked(body, param);
  const { feature, vector, probe, above, below, unit } = fields;
  const targets = [feature, vector, probe].filter((one) => one !== undefined && one !== null);
  if (targets.length !== 1) {
    const got = targets.length === 0 ? 'none' : 'several';
    throw invalid(`A comparison reads exactly one of 'feature', 'vector' and 'probe'; this one has ${got}.`, param);
  }
  const bounds = [above, below].filter((one) => one !== undefined && one !== null);
  if (bounds.length !== 1) {
    const got = bounds.length === 0 ? 'neither' : 'both';
    throw invalid(`A comparison has exactly one of 'above' and 'below'; this one has ${got}.`, param);
  }
  const hookPoint = fields.hook_point ?? null;
  const named = typeof vector === 'string' || typeof probe === 'string';
  if (hookPoint !== null && !named) {
    throw invalid("'hook_point' chooses among those of a saved vector: leave it out here.", `${param}.hook_point`);
  }
  return {
    kind: 'compare',
    ...(feature ? { feature } : {}),
    ...(vector ? { vector: toRead(vector, `${param}.vector`) } : {}),
    ...(probe ? { probe: toRead(probe, `${param}.probe`) } : {}),
    bias: typeof probe === 'object' && probe ? finite(probe.bias ?? 0, `${param}.probe.bias`) : 0,
    hookPoint,
    above: above !== undefined && above !== null,
    threshold: finite(
      (above ?? below) as number,
      `${param}.${above === undefined || above === null ? 'below' : 'above'}`,
    ),
    unit: unit ?? null,
    over: fields.end_of_prompt ?? 'token',
    param,
  };
}

/** The comparison's fields, or the first thing that is wrong with one of them. */
function checked(body: object, param: string): ComparisonBody {
  for (const name of ['above', 'below'] as const) {
    const value: unknown = Reflect.get(body, name);
    // JSON can spell 1e999
    if (typeof value === 'number') finite(value, `${param}.${name}`);
  }
  const result = comparisonSchema.safeParse(body);
  if (result.success) return result.data;
  const unknown = result.error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) {
    const [key = ''] = unknown.keys;
    const where = formatPath([...unknown.path, key]);
    const known = [...groups, ...Object.keys(comparisonSchema.shape)];
    const suggestions = nearest(key, known);
    const hint =
      suggestions[0] === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean '${suggestions[0]}'?`;
    throw new TillerError('unknown_field', `Unknown field '${where}' in a condition. ${hint}`, {
      param: `${param}.${where}`,
      suggestions,
    });
  }
  const [issue] = result.error.issues;
  const where = `${param}.${formatPath(issue?.path ?? [])}`;
  throw invalid(`'${where}' is not valid: ${issue?.message ?? 'not a comparison'}.`, where);
}

function toRead(vector: NonNullable<ComparisonBody['vector']>, param: string): ReadVector {
  if (typeof vector === 'string') return vector;
  return { hookPoint: vector.hook_point, data: decodeFloat32(vector.data, `${param}.data`) };
}

function finite(value: number, param: string): number {
  if (Number.isFinite(value)) return value;
  throw new TillerError(
    'edit_not_applicable',
    `'${param}' is not a finite number, so nothing can be compared with it.`,
    {
      param,
    },
  );
}
