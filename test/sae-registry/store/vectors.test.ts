import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../../sae-registry/store/open-store.ts';
import { addProfile } from '../../../sae-registry/store/profiles.ts';
import { checkName } from '../../../sae-registry/store/saved-name.ts';
import { addVector, deleteVector, findVector, listVectors } from '../../../sae-registry/store/vectors.ts';

let store: Store;
beforeEach(async () => {
  store = await openStore(null);
});
afterEach(() => store.close());

function add(name: string, values: number[], model = 'toy') {
  const directions = [
    { hookPoint: 'blocks.2.hook_resid_post', values: Float32Array.from(values) },
    { hookPoint: 'blocks.1.hook_resid_post', values: Float32Array.from(values, (value) => -value) },
  ];
  return addVector(store, { model, name, description: 'd', method: 'uploaded', origin: 'test', directions });
}

describe('saved vectors', () => {
  it('have versions: the name alone means the newest, and each keeps its floats bit for bit', () => {
    expect(add('pirate', [0.1, -3e-39, 1e30]).version).toBe(1);
    expect(add('pirate', [2, 3, 4]).version).toBe(2);
    expect(add('pirate', [5, 6, 7], 'other').version).toBe(1);
    expect(findVector(store, 'toy', 'pirate', 'p')).toMatchObject({ version: 2 });
    const { directions } = findVector(store, 'toy', 'pirate:1', 'p');
    expect(directions).toEqual([
      { hookPoint: 'blocks.2.hook_resid_post', values: Float32Array.of(0.1, -3e-39, 1e30) },
      { hookPoint: 'blocks.1.hook_resid_post', values: Float32Array.of(-0.1, 3e-39, -1e30) },
    ]);
    expect(listVectors(store, 'toy').map(({ version, hookPoints }) => [version, hookPoints.length])).toEqual([
      [2, 2],
      [1, 2],
    ]);
    expect(listVectors(store, null)).toHaveLength(3);
  });

  it('are not found with the nearest names, whatever is asked for', () => {
    add('pirate', [1]);
    const refused = { code: 'vector_not_found', param: 'p', suggestions: expect.arrayContaining(['pirate']) };
    for (const reference of ['pirat', 'pirate:2', 'pirate:01', 'pirate:0']) {
      expect(() => findVector(store, 'toy', reference, 'p')).toThrow(expect.objectContaining(refused));
    }
    expect(() => findVector(store, 'toy', '../pirate', 'p')).toThrow(/no vector/);
    expect(() => findVector(store, 'else', 'pirate', 'p')).toThrow(/none is saved/);
  });

  it('never give a number twice', () => {
    add('pirate', [1]);
    add('pirate', [2]);
    expect(deleteVector(store, 'toy', 'pirate:2', 'p')).toEqual([2]);
    expect(findVector(store, 'toy', 'pirate', 'p').version).toBe(1);
    expect(add('pirate', [3]).version).toBe(3);
    expect(deleteVector(store, 'toy', 'pirate', 'p')).toEqual([3, 1]);
    expect(() => findVector(store, 'toy', 'pirate', 'p')).toThrow(
      expect.objectContaining({ code: 'vector_not_found' }),
    );
    expect(add('pirate', [4]).version).toBe(4);
  });

  it('are kept while a profile was made with them', () => {
    const { id } = add('pirate', [1]);
    add('pirate', [2]);
    const fingerprint = { model: 'toy', model_hash: 'h', sources: {}, statistics: {}, hash: 'x' };
    const frozen = { edits: [], rules: [], directions: [] };
    const profile = { model: 'toy', name: 'p', description: '', steering: {}, frozen, fingerprint, file: null };
    addProfile(store, { ...profile, vectors: [id, id] });
    for (const reference of ['pirate', 'pirate:1']) {
      expect(() => deleteVector(store, 'toy', reference, 'p')).toThrow(
        expect.objectContaining({
          code: 'in_use',
          message: expect.stringContaining("'pirate:1' is part of profile 'p:1'"),
        }),
      );
    }
    expect(listVectors(store, 'toy')).toHaveLength(2);
    expect(deleteVector(store, 'toy', 'pirate:2', 'p')).toEqual([2]);
  });
});

describe('a name', () => {
  it.each(['pirate', 'a', '7', 'a.b-c_d', 'A'.repeat(64)])('may be %s', (name) => {
    expect(checkName(name, 'name')).toBe(name);
  });

  it.each(['', '.', '..', '../x', 'a/b', 'a\\b', '-flag', '.hidden', 'a:1', 'a b', 'a@b', 'ä', 'a\n', 'A'.repeat(65)])(
    'may not be %j',
    (name) => {
      expect(() => checkName(name, 'name')).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: 'name' }),
      );
    },
  );
});
