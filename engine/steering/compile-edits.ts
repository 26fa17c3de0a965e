import type { Edit } from '../core/edit.ts';
import type { StreamPlaces } from '../core/hook-point.ts';
import { resolveHookPoint } from '../core/hook-point-names.ts';
import { hookPointWidth, whyNotEditable } from '../core/hook-point-shapes.ts';
import { type EditSpecification, modeNumber } from '../core/steering.ts';
import { refuseConflicts, spanAblations } from './conflicts.ts';
import { directionsOf } from './directions.ts';
import { dot, norm } from './linear-algebra.ts';
import { modeTable, smallestPinProduct } from './modes.ts';
import { largestWrite, rawNumber } from './raw-number.ts';
import { refuse } from './refusals.ts';

/** Of the model's stream, and how many edits are let through. */
export interface CompileOptions extends StreamPlaces {
  readonly dModel: number;
  readonly maxEdits: number;
  /**
   * Tokens of the prompt, where already known: ranges are then checked against it and overlaps decided exactly
   * (`positionsOverlap`). Of several prompts that share the edits, the shortest.
   */
  readonly promptLength?: number;
  /** Tokens of the longest of several prompts that share the edits; default `promptLength`. */
  readonly longestPromptLength?: number;
}

/** An edit ready to run, beside what it came from. */
export interface CompiledEdit {
  /** Index of the specification it serves. One edit each, in the order of the specifications. */
  readonly specification: number;
  readonly edit: Edit;
  /** The number used, in raw units; null for ablate. The same edit asked for with `unit: raw` and this number is the same. */
  readonly rawNumber: number | null;
}

/**
 * Turns edits as asked for into dense edits with raw coefficients, or refuses with the reason (`refusals`): never an edit
 * that does something else than was asked. Throws `hook_point_not_found`, `edit_not_applicable`, `edits_conflict`,
 * `statistics_missing`, `too_many_edits`, `invalid_request`.
 */
export function compileEdits(
  specifications: readonly EditSpecification[],
  options: CompileOptions,
): readonly CompiledEdit[] {
  const beyond = specifications[options.maxEdits];
  if (beyond) refuse('tooManyEdits', beyond.param, { count: specifications.length, limit: options.maxEdits });
  const compiled = specifications.map((specification) => compileEdit(specification, options));
  const entries = compiled.map(({ edit }, index) => ({
    edit,
    specification: specifications[index] as EditSpecification,
  }));
  const shortest = options.promptLength ?? null;
  refuseConflicts(entries, [...new Set([shortest, options.longestPromptLength ?? shortest])]);
  return spanAblations(entries).map((edit, index) => ({
    specification: index,
    edit,
    rawNumber: compiled[index]?.rawNumber ?? null,
  }));
}

function compileEdit(
  specification: EditSpecification,
  options: CompileOptions,
): { edit: Edit; rawNumber: number | null } {
  const { target, mode, param, onlyIfActive } = specification;
  const hookPoint = editableHookPoint(specification, options);
  checkPositions(specification, options.promptLength);
  const width = hookPointWidth(options.hookPoints ?? new Map(), hookPoint) ?? options.dModel;
  const { read, write } = directionsOf(specification, { hookPoint, width });
  const raw = rawNumber(specification);
  const readDotWrite = read === null ? 0 : dot(read.direction, write);
  if (mode === 'pin' && Math.abs(readDotWrite) < smallestPinProduct) {
    refuse('pinTooWeak', param, { target: target.id, dot: readDotWrite.toPrecision(2) });
  }
  const coefficient = modeTable[mode].coefficient(raw ?? 0, readDotWrite);
  const largest = Math.max(Math.abs(coefficient.beta), Math.abs(coefficient.gamma)) * Math.max(1, norm(write));
  if (!(largest <= largestWrite)) {
    const name = modeNumber[mode];
    refuse('outOfRange', name === null ? param : `${param}.${name}`, { value: largest.toPrecision(2) });
  }
  const edit: Edit = {
    hookPoint,
    read,
    coefficient,
    write,
    positions: specification.positions,
    skipSpecial: specification.skipSpecial,
    activeAbove: activeAbove(specification),
    // An edit that reads nothing means the same on a sink as elsewhere; one that reads would write thousands there.
    sinkNorm: modeTable[mode].reads || onlyIfActive ? sinkNormOf(specification) : Number.POSITIVE_INFINITY,
  };
  return { edit, rawNumber: raw };
}

function editableHookPoint({ target, param }: EditSpecification, places: StreamPlaces): string {
  const hookPoint = resolveHookPoint(target.hookPoint, places, param);
  const reason = whyNotEditable(hookPoint);
  if (reason !== null) refuse('notEditable', param, { hookPoint, reason });
  return hookPoint;
}

function checkPositions({ positions, param }: EditSpecification, promptLength: number | undefined): void {
  if (typeof positions === 'string') return;
  const { from, to } = positions;
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from < to)) {
    refuse('emptyRange', `${param}.positions`, { from, to });
  }
  if (promptLength !== undefined && to > promptLength) {
    refuse('rangeOutsidePrompt', `${param}.positions`, { to, promptLength });
  }
}

/** A feature is active above its own threshold, whatever the mode reads it with. */
function activeAbove({ target, onlyIfActive }: EditSpecification): number {
  const encoder = onlyIfActive && target.kind === 'feature' ? target.encoder : null;
  return encoder === null ? Number.NEGATIVE_INFINITY : encoder.threshold;
}

function sinkNormOf({ target }: EditSpecification): number {
  return (target.kind === 'feature' ? target.sinkNorm : null) ?? Number.POSITIVE_INFINITY;
}
