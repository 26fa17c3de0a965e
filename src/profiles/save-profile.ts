import { hookPointWidth, resolveHookPoint, TillerError, whyNotEditable } from '../../engine/core/index.ts';
import type { ModelService } from '../../routes/services.ts';
import {
  addProfile,
  addVector,
  checkName,
  readProfileFile,
  type Store,
  thaw,
  thawRules,
} from '../../sae-registry/index.ts';
import { compileFor, compileRulesFor, type SteeringContext } from '../compile-steering.ts';
import { freezeSteering } from './freeze-steering.ts';
import { profileVersion, vectorVersion } from './saved-views.ts';

/** What stands in the place of a name in an address. */
const reserved = ['default', 'import'];

/** How a vector came to be that somebody sent. */
const uploaded = { method: 'uploaded', origin: 'POST /api/v1/vectors' };

type Saving = Pick<ModelService, 'saveProfile' | 'importProfile' | 'saveVector'>;

/** Saving what a loaded model is steered by. `store` throws where there is none. */
export function savingOf(store: () => Store, context: SteeringContext): Saving {
  const { card } = context;
  return {
    saveProfile({ name, description, steering, wire }) {
      checkProfileName(name);
      const frozen = freezeSteering(steering, context);
      return profileVersion(
        addProfile(store(), { model: card.id, name, description, steering: wire, ...frozen, file: null }),
      );
    },
    importProfile(json, { name, origin }) {
      const file = readProfileFile(json);
      const called = name ?? file.name;
      checkProfileName(called);
      refuseOtherModel(file.fingerprint, context);
      const specifications = thaw(file.frozen, 'profile');
      const compiled = compileFor(specifications, context);
      compileRulesFor(thawRules(file.frozen, 'profile'), { specifications, compiled }, context);
      const { description, steering, frozen, fingerprint, sha256: hash } = file;
      const bytes = frozen.directions.reduce((sum, direction) => sum + direction.byteLength, 0);
      const kept = { model: card.id, name: called, description, steering, frozen, fingerprint, vectors: [] };
      return profileVersion(addProfile(store(), { ...kept, file: { origin, hash, bytes } }));
    },
    saveVector({ name, description, directions, made = uploaded }) {
      checkName(name, 'name');
      const places = directions.map(({ hookPoint, values, param }) => ({
        hookPoint: editable(hookPoint, values.length, param, context),
        values,
      }));
      const twice = places.findIndex(
        ({ hookPoint }, at) => places.findIndex((one) => one.hookPoint === hookPoint) < at,
      );
      if (twice >= 0) {
        const message = `Two directions are at ${places[twice]?.hookPoint}: a vector has one for each hook point.`;
        throw new TillerError('invalid_request', message, { param: directions[twice]?.param });
      }
      const vector = { model: card.id, name, description, ...made };
      return vectorVersion(addVector(store(), { ...vector, directions: places }));
    },
  };
}

function checkProfileName(name: string): void {
  checkName(name, 'name');
  if (!reserved.includes(name)) return;
  const message = `A profile cannot be called '${name}', which is a word of the API: choose another name.`;
  throw new TillerError('invalid_request', message, { param: 'name' });
}

function refuseOtherModel(
  { model, model_hash: hash }: { readonly model: string; readonly model_hash: string },
  { card }: SteeringContext,
): void {
  if (model === card.id && hash === card.hash) return;
  const short = (text: string) => text.slice(0, 16);
  const message =
    `The profile was saved on ${model} (weights ${short(hash)}…) and this is ${card.id} (weights ${short(card.hash)}…): ` +
    'its numbers mean nothing here. Load that model, or save the steering again on this one.';
  throw new TillerError('edit_not_applicable', message, { param: 'fingerprint.model_hash' });
}

/** The hook point in canonical spelling, where edits can be made and are as wide as the direction. */
function editable(hookPoint: string, width: number, param: string, { card }: SteeringContext): string {
  const named = `${param}.hook_point`;
  const place = resolveHookPoint(hookPoint, card, named);
  const reason = whyNotEditable(place);
  if (reason !== null) {
    throw new TillerError('edit_not_applicable', `No edit can be made at ${place}: ${reason}.`, { param: named });
  }
  const wanted = hookPointWidth(card.hookPoints ?? new Map(), place) ?? card.dModel;
  if (width === wanted) return place;
  const message = `The direction has ${width} floats, but ${place} of this model is ${wanted} wide. Send ${wanted} floats.`;
  throw new TillerError('edit_not_applicable', message, { param: `${param}.data` });
}
