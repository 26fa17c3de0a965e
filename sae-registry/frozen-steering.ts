import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type EditSpecification, type EditTarget, type RuleSpecification, TillerError } from '../engine/core/index.ts';
import { canonicalJson } from './canonical-json.ts';
import { type FrozenEdit, frozenEditsSchema } from './frozen-edit.ts';
import { type FrozenRule, freezeRule, frozenRulesSchema, thawRule } from './frozen-rules.ts';

export { type FrozenEdit, frozenEditsSchema } from './frozen-edit.ts';

/**
 * A steering that depends on nothing outside itself: not on statistics, labels, dictionaries or saved vectors. Compiled, it is
 * bit for bit what the steering was when it was frozen.
 */
export interface FrozenSteering {
  readonly edits: readonly FrozenEdit[];
  readonly rules: readonly FrozenRule[];
  /** That `write`, `read.direction` and a rule's `direction` point into. */
  readonly directions: readonly Float32Array[];
}

/** An edit as it was looked up, and its number in raw units (engine/steering/compile-edits.ts `rawNumber`). */
export interface Freezable {
  readonly specification: EditSpecification;
  readonly rawNumber: number | null;
  /** In canonical spelling. */
  readonly hookPoint: string;
  /** Whether the edit reads what its target's encoder gives. */
  readonly reads: boolean;
}

/** The same of a rule. */
export interface FreezableRule {
  readonly specification: RuleSpecification;
  readonly edits: readonly Freezable[];
}

/** The frozen form of a steering's edits and rules, in their order. */
export function freeze(edits: readonly Freezable[], rules: readonly FreezableRule[] = []): FrozenSteering {
  const directions: Float32Array[] = [];
  const keep = (direction: Float32Array) => directions.push(direction.slice()) - 1;
  return {
    edits: freezeEdits(edits, keep),
    rules: rules.map((rule) => freezeRule(rule.specification, freezeEdits(rule.edits, keep), keep)),
    directions,
  };
}

function freezeEdits(edits: readonly Freezable[], keep: (direction: Float32Array) => number): FrozenEdit[] {
  return edits.map(({ specification, rawNumber, hookPoint, reads }): FrozenEdit => {
    const { target, mode, positions, skipSpecial, onlyIfActive } = specification;
    const encoder = reads && target.kind === 'feature' ? target.encoder : null;
    return {
      target: target.id,
      kind: target.kind,
      hook_point: hookPoint,
      mode,
      number: rawNumber,
      positions,
      skip_special: skipSpecial,
      only_if_active: onlyIfActive,
      write: keep(target.kind === 'feature' ? target.decoder : target.direction),
      read: encoder && {
        direction: keep(encoder.direction),
        bias: encoder.bias,
        threshold: encoder.threshold === Number.NEGATIVE_INFINITY ? null : encoder.threshold,
      },
      sink_norm: target.kind === 'feature' ? target.sinkNorm : null,
    };
  });
}

/** The edits of a frozen steering as they go to the compiler; `param` is where they stand, for errors. */
export function thaw({ edits, directions }: FrozenSteering, param: string): readonly EditSpecification[] {
  return thawEdits(edits, directions, `${param}.edits`);
}

/** The same of its rules. */
export function thawRules({ rules, directions }: FrozenSteering, param: string): readonly RuleSpecification[] {
  return rules.map((rule, at) => {
    const own = `${param}.rules[${at}]`;
    return thawRule(
      rule,
      thawEdits(rule.edits, directions, `${own}.do`),
      (direction) => directionAt(directions, direction),
      own,
    );
  });
}

function thawEdits(
  edits: readonly FrozenEdit[],
  directions: readonly Float32Array[],
  param: string,
): readonly EditSpecification[] {
  return edits.map((edit, at) => ({
    target: targetOf(edit, directions),
    mode: edit.mode,
    number: edit.number,
    unit: 'raw',
    positions: edit.positions,
    skipSpecial: edit.skip_special,
    onlyIfActive: edit.only_if_active,
    param: `${param}[${at}]`,
  }));
}

function targetOf(edit: FrozenEdit, directions: readonly Float32Array[]): EditTarget {
  const { target: id, hook_point: hookPoint, read } = edit;
  const write = directionAt(directions, edit.write);
  if (edit.kind === 'vector') return { kind: 'vector', id, hookPoint, direction: write, streamNorm: null };
  return {
    kind: 'feature',
    id,
    hookPoint,
    encoder: read && {
      direction: directionAt(directions, read.direction),
      bias: read.bias,
      threshold: read.threshold ?? Number.NEGATIVE_INFINITY,
    },
    decoder: write,
    maxActivation: null,
    sinkNorm: edit.sink_norm,
    streamNorm: null,
  };
}

function directionAt(directions: readonly Float32Array[], at: number): Float32Array {
  const direction = directions[at];
  if (direction) return direction;
  throw new TillerError('invalid_request', `A frozen steering names direction ${at} and has ${directions.length}.`);
}

/** sha256 over all that a frozen steering does: equal hashes give equal text. */
export function frozenHash({ edits, rules, directions }: FrozenSteering): string {
  const hash = createHash('sha256').update(canonicalJson(edits));
  if (rules.length > 0) hash.update(canonicalJson(rules));
  for (const direction of directions) {
    hash.update(Float64Array.of(direction.length)).update(direction);
  }
  return hash.digest('hex');
}

const storedSchema = z.union([
  frozenEditsSchema.transform((edits) => ({ edits, rules: [] })),
  z.strictObject({ edits: frozenEditsSchema, rules: frozenRulesSchema }),
]);

/** What the store keeps beside the directions: a list of edits, as before there were rules, or both. */
export function toStored({ edits, rules }: FrozenSteering): unknown {
  return rules.length === 0 ? edits : { edits, rules };
}

/** The same read back. Throws where it is neither. */
export function fromStored(json: unknown): Pick<FrozenSteering, 'edits' | 'rules'> {
  return storedSchema.parse(json);
}
