import { modeNumber, type Positions, TillerError } from '../../engine/core/index.ts';
import type { EditRequest } from '../services.ts';
import type { EditBody } from './edit-schema.ts';
import { decodeFloat32 } from './float32.ts';

const numberFields = ['strength', 'value', 'factor'] as const;

/**
 * One edit of a body as the port takes it. Refuses what the schema cannot say: not exactly one target, a number under another mode's
 * name, an empty range, a vector that is not float32.
 */
export function toEditRequest(edit: EditBody, param: string): EditRequest {
  const feature = edit.feature ?? undefined;
  const vector = edit.vector ?? undefined;
  if ((feature === undefined) === (vector === undefined)) {
    const got = feature === undefined ? 'neither' : 'both';
    throw invalid(`An edit acts on exactly one of 'feature' and 'vector'; this one has ${got}.`, param);
  }
  return {
    ...(feature === undefined ? {} : { feature }),
    ...(vector === undefined ? {} : { vector: toVector(vector, `${param}.vector`) }),
    mode: edit.mode,
    number: numberOf(edit, param),
    unit: edit.unit ?? null,
    positions: toPositions(edit.positions ?? 'all_but_first', `${param}.positions`),
    skipSpecial: (edit.skip ?? []).includes('special'),
    onlyIfActive: edit.only_if_active ?? false,
    param,
  };
}

/** The mode's number, which must stand under the mode's own name and no other. */
function numberOf(edit: EditBody, param: string): number | null {
  const own = modeNumber[edit.mode];
  const stray = numberFields.find((field) => field !== own && edit[field] !== undefined && edit[field] !== null);
  if (stray !== undefined) {
    const right = own === null ? 'takes no number' : `takes '${own}'`;
    throw invalid(`Mode '${edit.mode}' ${right}, not '${stray}'.`, `${param}.${stray}`, own === null ? [] : [own]);
  }
  if (own === null) return null;
  const number = edit[own] ?? null;
  if (number === null) throw invalid(`Mode '${edit.mode}' needs a number in '${own}'.`, `${param}.${own}`);
  if (!Number.isFinite(Math.fround(number))) {
    throw new TillerError('edit_not_applicable', `${number} is beyond float32, so no edit can be made of it.`, {
      param: `${param}.${own}`,
    });
  }
  return number;
}

function toPositions(positions: Positions, param: string): Positions {
  if (typeof positions === 'object' && positions.from >= positions.to) {
    throw invalid(`The range ${positions.from}–${positions.to} is empty: 'to' is one past the last token.`, param);
  }
  return positions;
}

function toVector(vector: NonNullable<EditBody['vector']>, param: string): NonNullable<EditRequest['vector']> {
  if (typeof vector === 'string') return vector;
  return { hookPoint: vector.hook_point, data: decodeFloat32(vector.data, `${param}.data`) };
}

/** What a body says that its schema could not refuse. */
export function invalid(message: string, param: string, suggestions: readonly string[] = []): TillerError {
  return new TillerError('invalid_request', message, { param, suggestions });
}
