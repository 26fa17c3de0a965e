import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EditSpecification } from '../../../engine/core/index.ts';
import { freeze, frozenHash, thaw } from '../../../sae-registry/frozen-steering.ts';
import { openStore, type Store } from '../../../sae-registry/store/open-store.ts';
import {
  addProfile,
  deleteProfile,
  findProfile,
  listProfiles,
  readProfile,
} from '../../../sae-registry/store/profiles.ts';
import { profileDirections } from '../../../sae-registry/store/schema.ts';

let store: Store;
beforeEach(async () => {
  store = await openStore(null);
});
afterEach(() => store.close());

const hookPoint = 'blocks.1.hook_resid_post';
const specification: EditSpecification = {
  target: {
    kind: 'feature',
    id: 'toy/1-res/7',
    hookPoint,
    encoder: { direction: Float32Array.of(0.1, 0.2), bias: 1 / 3, threshold: Number.NEGATIVE_INFINITY },
    decoder: Float32Array.of(0.3, -0.4),
    maxActivation: 9,
    sinkNorm: 1e3,
    streamNorm: 5,
  },
  mode: 'set',
  number: 2,
  unit: 'max_activation',
  positions: { from: 1, to: 3 },
  skipSpecial: true,
  onlyIfActive: true,
  param: 'steering.edits[0]',
};
const frozen = freeze([{ specification, rawNumber: 18.000000000000004, hookPoint, reads: true }]);
const fingerprint = {
  model: 'toy',
  model_hash: 'h',
  sources: { 'toy/1-res': 's' },
  statistics: {},
  hash: frozenHash(frozen),
};
const profile = { model: 'toy', name: 'pirate', description: 'arr', steering: { edits: [] }, frozen, fingerprint };
const add = (name = 'pirate', model = 'toy') => addProfile(store, { ...profile, name, model, vectors: [], file: null });
const unheld = { param: 'name', heldBy: () => null };

describe('saved profiles', () => {
  it('come back as they were frozen, bit for bit', () => {
    const { id } = add();
    const read = readProfile(store, id);
    expect(read).toMatchObject({
      name: 'pirate',
      version: 1,
      description: 'arr',
      steering: { edits: [] },
      fingerprint,
    });
    expect(frozenHash(read.frozen)).toBe(fingerprint.hash);
    const { target } = specification;
    expect(thaw(read.frozen, 'steering.profile')).toEqual([
      {
        ...specification,
        number: 18.000000000000004,
        unit: 'raw',
        param: 'steering.profile.edits[0]',
        target: { ...target, maxActivation: null, streamNorm: null },
      },
    ]);
  });

  it('have versions, and a number is never given twice', () => {
    add();
    add();
    add('other');
    add('pirate', 'else');
    expect(findProfile(store, 'toy', 'pirate', 'p').version).toBe(2);
    expect(findProfile(store, 'toy', 'pirate:1', 'p').version).toBe(1);
    expect(listProfiles(store, 'toy').map(({ name, version }) => `${name}:${version}`)).toEqual([
      'other:1',
      'pirate:2',
      'pirate:1',
    ]);
    expect(listProfiles(store, 'toy', 'other')).toHaveLength(1);
    expect(listProfiles(store, null)).toHaveLength(4);
    expect(deleteProfile(store, 'toy', 'pirate:2', unheld)).toEqual([2]);
    expect(findProfile(store, 'toy', 'pirate', 'p').version).toBe(1);
    expect(add().version).toBe(3);
    expect(deleteProfile(store, 'toy', 'pirate', unheld)).toEqual([3, 1]);
    expect(add().version).toBe(4);
    expect(store.db.select().from(profileDirections).all()).toHaveLength(3 * frozen.directions.length);
  });

  it('are not deleted while one of them is held, and then none is', () => {
    const { id } = add();
    add();
    const heldBy = (held: number) => (held === id ? 'a request runs with it' : null);
    expect(() => deleteProfile(store, 'toy', 'pirate', { param: 'name', heldBy })).toThrow(
      expect.objectContaining({
        code: 'in_use',
        message: "Profile 'pirate:1' is not deleted: a request runs with it.",
      }),
    );
    expect(listProfiles(store, 'toy')).toHaveLength(2);
  });

  it('are not found with the nearest names', () => {
    const { id } = add();
    expect(() => findProfile(store, 'toy', 'pirat', 'model')).toThrow(
      expect.objectContaining({ code: 'profile_not_found', param: 'model', suggestions: ['pirate', 'pirate:1'] }),
    );
    expect(() => findProfile(store, 'else', 'pirate', 'p')).toThrow(/none is saved/);
    deleteProfile(store, 'toy', 'pirate', unheld);
    expect(() => readProfile(store, id)).toThrow(expect.objectContaining({ code: 'profile_not_found' }));
  });
});
