import { TillerError } from '../../engine/core/index.ts';
import type { SteeringRequest } from '../services.ts';
import { toEditRequest } from './edit-request.ts';
import { toRuleRequests } from './rules-request.ts';
import type { SteeringBody } from './steering-schema.ts';

/** Profiles that hold besides the one that `steering.profile` names. */
export interface ProfilesInForce {
  /** That `model: "name@profile"` selects. */
  readonly ofModel: string | null;
  /** The service's default. */
  readonly byDefault: string | null;
}

/** The body field `steering` as the port takes it. Refuses what the schema cannot say: too many edits, and what edits and rules refuse. */
export function toSteeringRequest(
  body: SteeringBody | null | undefined,
  profiles: ProfilesInForce,
  maxEdits: number,
): SteeringRequest | null {
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
  const rules = body?.rules ?? [];
  const chosen = chooseProfile(body?.profile, profiles);
  if (!body && chosen.profile === undefined) return null;
  return {
    ...chosen,
    edits: edits.map((edit, index) => toEditRequest(edit, `steering.edits[${index}]`)),
    ...(rules.length > 0 ? { rules: toRuleRequests(rules) } : {}),
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
