import {
  type CompiledEdit,
  type CompiledRules,
  compileEdits,
  compileRules,
  type EditSpecification,
  type RuleSpecification,
  sameTarget,
  TillerError,
} from '../engine/index.ts';
import type { ModelCard, SteeringRequest } from '../routes/services.ts';
import { formatSavedName, type Registry } from '../sae-registry/index.ts';
import type { RunnableProfile, SavedLookup } from './profiles/saved-steerings.ts';
import { type SteeringPart, specify } from './specify-edit.ts';
import { type SpecifiedRule, specifyRule } from './specify-rules.ts';

export type { SteeringPart } from './specify-edit.ts';

export interface SteeringContext {
  readonly card: ModelCard;
  readonly registry: Registry;
  readonly saved: SavedLookup;
  readonly maxEdits: number;
  /** Tokens of the shortest and of the longest prompt, where known: ranges and overlaps are checked against them. */
  readonly promptLengths: { readonly shortest: number; readonly longest: number } | null;
}

export interface CompiledSteering {
  /** The profile's edits first, then the request's. */
  readonly parts: readonly SteeringPart[];
  /** One for each part. */
  readonly compiled: readonly CompiledEdit[];
  readonly profile: RunnableProfile | null;
  /** The profile's rules first, then the request's. */
  readonly rules: readonly SteeringRule[];
  /** One for each rule; null without rules. */
  readonly compiledRules: CompiledRules | null;
}

/** A rule with its targets looked up, and whose it is. */
export interface SteeringRule extends SpecifiedRule {
  readonly fromProfile: boolean;
}

/** Looks up every id of a steering, puts profile and request together, and makes every unit raw. */
export function compileSteering(request: SteeringRequest, context: SteeringContext): CompiledSteering {
  const profile = request.profile === undefined ? null : runnable(request.profile, context);
  const own = request.edits.flatMap((edit) => specify(edit, context));
  const kept = (profile?.specifications ?? []).filter((one) => !own.some((other) => replaces(other, one)));
  const parts = [...kept.map((specification) => ({ specification, fromProfile: true, vector: null })), ...own];
  const specifications = parts.map(({ specification }) => specification);
  const compiled = compileFor(specifications, context);
  const rules = [
    ...(profile?.rules ?? []).map(rulesOfProfile),
    ...(request.rules ?? []).map((rule) => ({ ...specifyRule(rule, context), fromProfile: false })),
  ];
  const compiledRules = compileRulesFor(
    rules.map(({ specification }) => specification),
    { specifications, compiled },
    context,
  );
  return { parts, compiled, profile, rules, compiledRules };
}

function rulesOfProfile(specification: RuleSpecification): SteeringRule {
  const parts = specification.edits.map((one) => ({ specification: one, fromProfile: true, vector: null }));
  return { specification, parts, vectors: [], fromProfile: true };
}

/** Rules with their targets looked up, compiled for the model beside the edits that always hold; null for none. Throws as `compileRules`. */
export function compileRulesFor(
  rules: readonly RuleSpecification[],
  always: { readonly specifications: readonly EditSpecification[]; readonly compiled: readonly CompiledEdit[] },
  context: Omit<SteeringContext, 'registry' | 'saved'>,
): CompiledRules | null {
  return rules.length === 0 ? null : compileRules(rules, always, optionsOf(context));
}

/** Edits with their targets looked up, compiled for the model. Throws as `compileEdits`. */
export function compileFor(
  specifications: readonly EditSpecification[],
  context: Omit<SteeringContext, 'registry' | 'saved'>,
): readonly CompiledEdit[] {
  return compileEdits(specifications, optionsOf(context));
}

function optionsOf({ card, maxEdits, promptLengths }: Omit<SteeringContext, 'registry' | 'saved'>) {
  const { dModel, blocks, parallelResidual, hookPoints } = card;
  const lengths = promptLengths && { promptLength: promptLengths.shortest, longestPromptLength: promptLengths.longest };
  return { dModel, blocks, parallelResidual, hookPoints, maxEdits, ...lengths };
}

/** A profile of these very weights: on others its numbers would mean something else. */
function runnable(reference: string, { card, saved }: SteeringContext): RunnableProfile {
  const param = 'steering.profile';
  const profile = saved.profile(card.id, reference, param);
  if (profile.saved.fingerprint.model_hash === card.hash) return profile;
  const name = formatSavedName(profile.saved);
  const message = `Profile '${name}' was saved on other weights of ${card.id} than those that are loaded: save it again on these, or load those.`;
  throw new TillerError('edit_not_applicable', message, { param });
}

/**
 * A request's edit takes the place of its profile's edit of the same target: the same feature, the same saved vector in whatever
 * version, or a parallel direction at the same hook point.
 */
function replaces({ specification: own }: SteeringPart, its: EditSpecification): boolean {
  const [a, b] = [own.target, its.target];
  if (a.kind === 'feature' || b.kind === 'feature') return sameTarget(a, b);
  if (a.id !== 'inline' && nameOf(a.id) === nameOf(b.id)) return true;
  return a.hookPoint === b.hookPoint && sameTarget(a, b);
}

/** `pirate:2` without its version. */
function nameOf(id: string): string {
  return id.split(':')[0] ?? id;
}
