import {
  type CompiledEdit,
  compileEdits,
  type EditReport,
  type EditSpecification,
  mergeReports,
  resolveHookPoint,
  TillerError,
} from '../engine/index.ts';
import type { EditRequest, ModelCard, ResolvedSteering, SteeringBlock, SteeringRequest } from '../routes/services.ts';
import type { Registry } from '../sae-registry/index.ts';
import type { EditKind } from './metrics/steering-metrics.ts';

export interface SteeringContext {
  readonly card: ModelCard;
  readonly registry: Registry;
  readonly maxEdits: number;
  /** Tokens of the shortest and of the longest prompt, where known: ranges and overlaps are checked against them. */
  readonly promptLengths: { readonly shortest: number; readonly longest: number } | null;
}

type InlineVector = Exclude<EditRequest['vector'], string | undefined>;

/** A steering with every id looked up, and what metrics count of its edits, in their order. */
export interface CountedSteering extends ResolvedSteering {
  readonly kinds: readonly EditKind[];
}

/** Looks up every id of a steering, makes every unit raw, and keeps what the answer's `steering` block needs. */
export function resolveSteering(request: SteeringRequest, context: SteeringContext): CountedSteering {
  if (request.profile !== undefined) {
    throw noSuchProfile(request.profile, 'steering.profile');
  }
  const { card, maxEdits, promptLengths } = context;
  const specifications = request.edits.map((edit) => specify(edit, context));
  const compiled = compileEdits(specifications, {
    dModel: card.dModel,
    blocks: card.blocks,
    parallelResidual: card.parallelResidual,
    hookPoints: card.hookPoints,
    maxEdits,
    ...(promptLengths && { promptLength: promptLengths.shortest, longestPromptLength: promptLengths.longest }),
  });
  return {
    edits: compiled.map(({ edit }) => edit),
    kinds: compiled.map(({ specification }) => kindOf(specifications[specification] as EditSpecification, context)),
    report: (reports, seeds) =>
      describe(specifications, compiled, reports, fingerprint(specifications, context, seeds)),
  };
}

function kindOf({ mode, target }: EditSpecification, { registry }: SteeringContext): EditKind {
  return { mode, source: target.kind === 'feature' ? registry.sourceOf(target.id).id : 'vector' };
}

/** Profiles can be named but not saved yet, so none exists: naming one never gives unsteered text. */
export function noSuchProfile(name: string, param: string): TillerError {
  return new TillerError('profile_not_found', `There is no profile '${name}': none is saved.`, { param });
}

function specify(edit: EditRequest, { registry, card }: SteeringContext): EditSpecification {
  const { mode, number, unit, positions, skipSpecial, onlyIfActive, param } = edit;
  const vector = typeof edit.vector === 'object' ? named(edit.vector, card, `${param}.vector.hook_point`) : edit.vector;
  const target = targetOf({ ...edit, vector }, registry);
  return { target, mode, number, unit, positions, skipSpecial, onlyIfActive, param };
}

/** A vector with its hook point in canonical spelling; checked here, where the field it was named in is known. */
function named(vector: InlineVector, card: ModelCard, param: string): InlineVector {
  return { ...vector, hookPoint: resolveHookPoint(vector.hookPoint, card, param) };
}

function targetOf({ feature, vector, param }: EditRequest, registry: Registry) {
  if (feature !== undefined) return registry.target(feature, `${param}.feature`);
  if (typeof vector === 'string') {
    const message = `There is no vector '${vector}': none is saved. Send the direction itself: {"hook_point", "data"}.`;
    throw new TillerError('vector_not_found', message, { param: `${param}.vector` });
  }
  if (vector) return registry.vectorTarget('inline', vector.hookPoint, vector.data);
  throw new TillerError('invalid_request', 'An edit names a feature or a vector.', { param });
}

function describe(
  specifications: readonly EditSpecification[],
  compiled: readonly CompiledEdit[],
  reports: readonly (readonly EditReport[])[],
  print: SteeringBlock['fingerprint'],
): SteeringBlock {
  const edits = compiled.map(({ specification: index, edit, rawNumber }, k) => {
    const specification = specifications[index] as EditSpecification;
    const merged = mergeReports(reports.flatMap((choice) => choice[k] ?? []));
    const solved = specification.mode === 'set' || specification.mode === 'pin';
    return {
      target: specification.target.id,
      hook_point: edit.hookPoint,
      mode: specification.mode,
      positions: specification.positions,
      tokens: merged.tokens,
      sink_tokens_skipped: merged.sinkTokens,
      coefficient: merged.coefficient,
      relative_dose: merged.relativeDose,
      ...(solved && rawNumber !== null ? { value_asked: rawNumber, value_read_back: merged.readAfter } : {}),
    };
  });
  return { edits, fingerprint: print };
}

/** What decides the run, so that it can be repeated. */
function fingerprint(
  specifications: readonly EditSpecification[],
  { card, registry }: SteeringContext,
  seeds: readonly number[],
): SteeringBlock['fingerprint'] {
  const sources: Record<string, string> = {};
  const statistics: Record<string, string> = {};
  for (const { target, unit } of specifications) {
    const norm = registry.streamNorm(target.hookPoint);
    if (target.kind === 'feature') {
      const source = registry.sourceOf(target.id);
      sources[source.id] = source.dictionary.hash;
      if (source.statistics) statistics[source.id] = source.statistics.version;
      if (norm && unit === 'stream_norm') statistics[norm.from] = norm.version;
    } else if (norm && unit !== 'raw') statistics[norm.from] = norm.version;
  }
  return { model: card.id, model_hash: card.hash, precision: card.precision, sources, statistics, seeds };
}
