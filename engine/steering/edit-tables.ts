import type { Edit } from '../core/edit.ts';
import { editDigest } from './edit-digest.ts';
import type { EditLayout } from './edit-layout.ts';
import { type EditParameter, editParameterNames, editParameters } from './edit-parameters.ts';

/** What a graph reads at one hook point, slot by slot. */
export interface EditTables {
  /** [slots, dModel] */
  readonly read: Float32Array;
  /** [slots, dModel] */
  readonly write: Float32Array;
  /** [slots] each. */
  readonly parameters: Readonly<Record<EditParameter, Float32Array>>;
}

/** Puts an edit into a slot. Throws a RangeError for an edit of another width than the tables', or with NaN in it. */
export function writeSlot(tables: EditTables, slot: number, edit: Edit, dModel: number): void {
  const { read, write } = edit;
  if (write.length !== dModel || (read !== null && read.direction.length !== dModel)) {
    throw new RangeError('an edit of another width than the stream');
  }
  const parameters = editParameters(edit);
  for (const name of editParameterNames) tables.parameters[name][slot] = parameters[name];
  const first = slot * dModel;
  if (read === null) tables.read.fill(0, first, first + dModel);
  else tables.read.set(read.direction, first);
  tables.write.set(write, first);
}

/** Whether two edits do the same to a token, so that one slot's content serves both. */
export function sameArithmetic(a: Edit, b: Edit): boolean {
  return a === b || editDigest(a) === editDigest(b);
}

/**
 * Writes which token each slot's edit touches: 1 or 0, [rows, tokens, K].
 *
 * @param masks for each row, the masks of its edits at this hook point
 */
export function writeMask(
  mask: Uint8Array,
  layout: EditLayout,
  masks: readonly (readonly Float32Array[])[],
  tokens: number,
): void {
  const { width, places } = layout;
  mask.fill(0);
  masks.forEach((own, row) => {
    own.forEach((values, i) => {
      if (values.length !== tokens) throw new RangeError('a mask of another length than its step');
      const slot = places[row]?.[i] as number;
      for (let t = 0; t < tokens; t++) mask[(row * tokens + t) * width + slot] = values[t] === 0 ? 0 : 1;
    });
  });
}
