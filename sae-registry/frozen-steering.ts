import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  type EditSpecification,
  type EditTarget,
  type Positions,
  steeringModes,
  TillerError,
} from '../engine/core/index.ts';
import { canonicalJson } from './canonical-json.ts';

const positionsSchema: z.ZodType<Positions> = z.union([
  z.enum(['all_but_first', 'all', 'prompt', 'generated', 'assistant', 'last']),
  z.strictObject({ from: z.int().min(0), to: z.int().min(1) }),
]);

/** Where in the list of directions one lies. */
const directionSchema = z.int().min(0);

/** An edit with every id looked up and its number raw. What JSON cannot write is null: a threshold of −∞. */
const frozenEditSchema = z.strictObject({
  /** Feature id, `name:version` of a vector, or `inline`. */
  target: z.string().min(1),
  kind: z.enum(['feature', 'vector']),
  /** In canonical spelling. */
  hook_point: z.string().min(1),
  mode: z.enum(steeringModes),
  /** Raw units; null of a mode that takes none. */
  number: z.number().nullable(),
  positions: positionsSchema,
  skip_special: z.boolean(),
  only_if_active: z.boolean(),
  /** A feature's decoder row, or the vector. */
  write: directionSchema,
  /** A feature's encoder, where the edit reads it. */
  read: z.strictObject({ direction: directionSchema, bias: z.number(), threshold: z.number().nullable() }).nullable(),
  /** Tokens beyond it are left alone; null: none are. */
  sink_norm: z.number().nullable(),
});

export const frozenEditsSchema = z.array(frozenEditSchema);
export type FrozenEdit = z.infer<typeof frozenEditSchema>;

/**
 * A steering that depends on nothing outside itself: not on statistics, labels, dictionaries or saved vectors. Compiled, it is
 * bit for bit what the steering was when it was frozen.
 */
export interface FrozenSteering {
  readonly edits: readonly FrozenEdit[];
  /** That `write` and `read.direction` point into. */
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

/** The frozen form of a steering's edits, in their order. */
export function freeze(edits: readonly Freezable[]): FrozenSteering {
  const directions: Float32Array[] = [];
  const keep = (direction: Float32Array) => directions.push(direction.slice()) - 1;
  const frozen = edits.map(({ specification, rawNumber, hookPoint, reads }): FrozenEdit => {
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
  return { edits: frozen, directions };
}

/** The edits of a frozen steering as they go to the compiler; `param` is where they stand, for errors. */
export function thaw({ edits, directions }: FrozenSteering, param: string): readonly EditSpecification[] {
  return edits.map((edit, at) => ({
    target: targetOf(edit, directions),
    mode: edit.mode,
    number: edit.number,
    unit: 'raw',
    positions: edit.positions,
    skipSpecial: edit.skip_special,
    onlyIfActive: edit.only_if_active,
    param: `${param}.edits[${at}]`,
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
export function frozenHash({ edits, directions }: FrozenSteering): string {
  const hash = createHash('sha256').update(canonicalJson(edits));
  for (const direction of directions) {
    hash.update(Float64Array.of(direction.length)).update(direction);
  }
  return hash.digest('hex');
}
