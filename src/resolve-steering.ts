import { type CompiledEdit, type EditReport, type EditSpecification, mergeReports } from '../engine/index.ts';
import type {
  ResolvedSteering,
  SteeringBlock,
  SteeringBlockEdit,
  SteeringBlockProfile,
  SteeringRequest,
} from '../routes/services.ts';
import { type CompiledSteering, compileSteering, type SteeringContext, type SteeringPart } from './compile-steering.ts';
import { describeRules } from './describe-rules.ts';
import type { EditKind } from './metrics/steering-metrics.ts';
import { pinnedBy, pinnedOf } from './steering-fingerprint.ts';

/** A steering with every id looked up, and what metrics count of its edits, in their order. */
export interface CountedSteering extends ResolvedSteering {
  readonly kinds: readonly EditKind[];
  /** The same of the edits of its rules. */
  readonly ruleKinds: readonly EditKind[];
  /** Row of the profile in the store; null for none. */
  readonly profile: number | null;
}

/** Looks up every id of a steering, makes every unit raw, and keeps what the answer's `steering` block needs. */
export function resolveSteering(request: SteeringRequest, context: SteeringContext): CountedSteering {
  const steering = compileSteering(request, context);
  const { parts, compiled, profile, rules, compiledRules } = steering;
  const byDefault = request.profileByDefault ?? false;
  const kindsOf = (list: readonly SteeringPart[]) =>
    list.map(({ specification, fromProfile }) => kindOf(specification, fromProfile, byDefault));
  return {
    edits: compiled.map(({ edit }) => edit),
    ...(compiledRules ? { rules: compiledRules.set } : {}),
    params: parts.map(({ specification }) => specification.param),
    kinds: kindsOf(parts),
    ruleKinds: kindsOf(rules.flatMap((rule) => rule.parts)),
    profile: profile?.saved.id ?? null,
    report: (reports, seeds, ofRules = []) => ({
      edits: describeEdits(parts, compiled, reports),
      ...(compiledRules
        ? {
            rules: describeRules(steering, ofRules, (rule, edits) =>
              describeEdits(rules[rule]?.parts ?? [], compiledRules.edits[rule] ?? [], edits),
            ),
          }
        : {}),
      ...(profile ? { profile: describeProfile(profile.saved, byDefault) } : {}),
      fingerprint: fingerprint(steering, context, seeds),
    }),
  };
}

function kindOf({ mode, target }: EditSpecification, fromProfile: boolean, byDefault: boolean): EditKind {
  const source = target.kind === 'feature' ? target.id.slice(0, target.id.lastIndexOf('/')) : 'vector';
  return { mode, source, profile: fromProfile ? (byDefault ? 'default' : 'request') : null };
}

function describeEdits(
  parts: readonly SteeringPart[],
  compiled: readonly CompiledEdit[],
  reports: readonly (readonly EditReport[])[],
): SteeringBlockEdit[] {
  return parts.flatMap(({ specification, fromProfile }, k) => {
    const made = compiled[k];
    if (!made) return [];
    const merged = mergeReports(reports.flatMap((choice) => choice[k] ?? []));
    const solved = specification.mode === 'set' || specification.mode === 'pin';
    return [
      {
        target: specification.target.id,
        ...(fromProfile ? { from_profile: true as const } : {}),
        hook_point: made.edit.hookPoint,
        mode: specification.mode,
        positions: specification.positions,
        tokens: merged.tokens,
        sink_tokens_skipped: merged.sinkTokens,
        coefficient: merged.coefficient,
        relative_dose: merged.relativeDose,
        ...(solved && made.rawNumber !== null
          ? { value_asked: made.rawNumber, value_read_back: merged.readAfter }
          : {}),
      },
    ];
  });
}

function describeProfile(
  { name, version, fingerprint: frozen }: Omit<SteeringBlockProfile, 'default'>,
  byDefault: boolean,
): SteeringBlockProfile {
  return { name, version, default: byDefault, fingerprint: frozen };
}

/** What decides the run, so that it can be repeated; a profile's own edits are pinned by the profile. */
function fingerprint(
  { parts, rules }: CompiledSteering,
  context: SteeringContext,
  seeds: readonly number[],
): SteeringBlock['fingerprint'] {
  const { id: model, hash: model_hash, precision } = context.card;
  const own = [
    ...parts.flatMap(({ specification, fromProfile }) => (fromProfile ? [] : [specification])),
    ...rules.flatMap((rule) => (rule.fromProfile ? [] : pinnedOf(rule))),
  ];
  return { model, model_hash, precision, ...pinnedBy(own, context), seeds };
}
