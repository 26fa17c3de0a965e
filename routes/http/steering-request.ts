import { modeNumber, type Positions, TillerError } from '../../engine/core/index.ts';
import type { EditRequest, SteeringRequest } from '../services.ts';
import { decodeFloat32 } from './float32.ts';
import type { EditBody, SteeringBody } from './steering-schema.ts';

/** Profiles that hold besides the one that `steering.profile` names. */
export interface ProfilesInForce {
  /** That `model: "name@profile"` selects. */
  readonly ofModel: string | null;
  /** The service's default. */
  readonly byDefault: string | null;
}

const numberFields = ['strength', 'value', 'factor'] as const;

/**
 * The body field `steering` as the port takes it. Refuses what the schema cannot say: too many edits, not exactly one target,
 * a number under another mode's name, an empty range, a vector that is not float32, rules (not supported yet).
 */
export function toSteeringRequest(
  body: SteeringBody | null | undefined,
  profiles: ProfilesInForce,
  maxEdits: number,
): SteeringRequest | null {
  if (body?.rules !== undefined && body.rules !== null) {
    throw new TillerError('unsupported', "'steering.rules' is not supported by this version: leave it out.", {
      param: 'steering.rules',
    });
  }
  const edits = body?.edits ?? [];
  if (edits.length > maxEdits) {
    throw new TillerError(
      'too_many_edits',
      `${edits.length} edits are more than the limit of ${maxEdits} a request: send fewer.`,
      {
        param: 'steering.edits',
      },
    );
  }
  const chosen = chooseProfile(body?.profile, profiles);
  if (!body && chosen.profile === undefined) return null;
  return {
    ...chosen,
    edits: edits.map((edit, index) => toEditRequest(edit, `steering.edits[${index}]`)),
  };
}

/** `named` is `steering.profile`: null says that no profile is to hold, the default neither; absent says nothing. */
function chooseProfile(
  named: string | null | undefined,
  { ofModel, byDefault }: ProfilesInForce,
): Pick<SteeringRequest, 'profile' | 'profileByDefault'> {
  if (named !== undefined && ofModel !== null && named !== ofModel) {
    const said = named === null ? 'is null' : `says '${named}'`;
    throw new TillerError(
      'invalid_request',
      `'model' selects profile '${ofModel}' and 'steering.profile' ${said}: name one of them.`,
      { param: 'steering.profile' },
    );
  }
  const chosen = named ?? ofModel;
  if (chosen !== null) return { profile: chosen };
  return named === null || byDefault === null ? {} : { profile: byDefault, profileByDefault: true };
}

function toEditRequest(edit: EditBody, param: string): EditRequest {
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

function invalid(message: string, param: string, suggestions: readonly string[] = []): TillerError {
  return new TillerError('invalid_request', message, { param, suggestions });
}
