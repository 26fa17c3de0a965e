import { z } from 'zod';
import type { Edit } from '../../engine/core/index.ts';
import { type EditKind, idleEdit } from './edits.ts';

/**
 * Where the steerings of a batch act. `one`: all at one hook point; `own`: each steering at a hook point of its own; `all`: each at every layer.
 */
export const placements = ['one', 'own', 'all'] as const;

/** How the rows of a batch are steered. */
export const steeringCase = z.object({
  placement: z.enum(placements),
  kind: z.enum(['add', 'set']),
  /** Different steerings in the batch; steered rows take them in turn. */
  distinct: z.number().int().positive(),
  /** Edits of a steering at each of its hook points. */
  edits: z.number().int().positive(),
  /** The first so many rows are steered, the others not. */
  steeredRows: z.number().int().positive(),
});
export type SteeringCase = z.infer<typeof steeringCase>;

/** What of a model the edits depend on. */
export interface ModelShape {
  readonly dModel: number;
  readonly blocks: number;
}

/** Edits of each of `rows` rows; rows with the same steering share the objects, as requests with the same feature do. */
export function rowEdits(steering: SteeringCase, rows: number, model: ModelShape): readonly (readonly Edit[])[] {
  const made = Array.from({ length: steering.distinct }, (_, index) => steeringEdits(steering, index, model));
  return Array.from({ length: rows }, (_, row) => (row < steering.steeredRows ? made[row % steering.distinct] : []));
}

/** The hook points that a batch with this steering opens. */
export function openedHookPoints(steering: SteeringCase, model: ModelShape): string[] {
  const all = Array.from({ length: steering.distinct }, (_, index) => hookPointsOf(steering, index, model));
  return [...new Set(all.flat())];
}

function steeringEdits(steering: SteeringCase, index: number, model: ModelShape): readonly Edit[] {
  const { kind, edits } = steering;
  return hookPointsOf(steering, index, model).flatMap((hookPoint, place) =>
    Array.from({ length: edits }, (_, edit) => {
      const seed = (index * model.blocks + place) * edits + edit;
      return idleEdit(kind satisfies EditKind, hookPoint, model.dModel, seed);
    }),
  );
}

function hookPointsOf({ placement }: SteeringCase, index: number, { blocks }: ModelShape): string[] {
  const layers = Array.from({ length: blocks }, (_, block) => `blocks.${block}.hook_resid_post`);
  if (placement === 'one') return [layers[blocks >> 1]];
  if (placement === 'all') return layers;
  const places = [...layers, ...layers.map((name) => name.replace('_post', '_mid'))];
  return [places[index % places.length]];
}
