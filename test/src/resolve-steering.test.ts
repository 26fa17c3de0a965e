import { describe, expect, it } from 'vitest';
import type { EditTarget } from '../../engine/core/index.ts';
import type { EditRequest, ModelCard } from '../../routes/services.ts';
import { openStore, type Registry, type Source } from '../../sae-registry/index.ts';
import { SavedSteerings } from '../../src/profiles/saved-steerings.ts';
import { resolveSteering } from '../../src/resolve-steering.ts';

const hookPoint = 'blocks.1.hook_resid_post';
const direction = Float32Array.of(1, 0, 0, 0);
const card: ModelCard = {
  id: 'toy',
  createdUnixSeconds: 0,
  contextLength: 64,
  dModel: 4,
  blocks: 3,
  precision: 'f32',
  operators: 'tiller',
  hash: 'abc',
  sources: ['toy/1-res'],
  capacity: { rows: 1, keyValueTokens: 64, prefixCacheTokens: 0, queueLimit: 1, queueSeconds: null },
};

function feature(id: string): EditTarget {
  const encoder = { direction, bias: 0, threshold: 0 };
  return {
    kind: 'feature',
    id,
    hookPoint,
    encoder,
    decoder: direction,
    maxActivation: 2,
    sinkNorm: null,
    streamNorm: 1,
  };
}

const unused = () => {
  throw new Error('not asked for here');
};
const registry: Registry = {
  sources: [],
  store: await openStore(null),
  sourceOf: (id) => ({ id: id.slice(0, id.lastIndexOf('/')) }) as Source,
  streamNorm: () => null,
  target: (id) => feature(`toy/1-res/${id.split('/').at(-1)}`),
  vectorTarget: (id, place, data) => ({ kind: 'vector', id, hookPoint: place, direction: data, streamNorm: null }),
  sourcesNamed: unused,
  encoder: unused,
  summary: unused,
  get: unused,
};

function edit(fields: Partial<EditRequest>): EditRequest {
  const common = {
    mode: 'add',
    number: 1,
    unit: 'raw',
    positions: 'all',
    skipSpecial: false,
    onlyIfActive: false,
  } as const;
  return { ...common, param: 'steering.edits[0]', ...fields };
}

describe('what metrics count of a steering', () => {
  it('is the mode and the source of each compiled edit, in the order of the edits', () => {
    const edits = [
      edit({ feature: '7', mode: 'set' }),
      edit({ vector: { hookPoint: 'blocks.0.hook_resid_pre', data: direction } }),
      edit({ feature: 'toy/1-res/3', positions: 'last' }),
    ];
    const context = { card, registry, saved: new SavedSteerings(null), maxEdits: 8, promptLengths: null };
    const { kinds, edits: compiled } = resolveSteering({ edits }, context);
    expect(kinds).toHaveLength(compiled.length);
    const bySite = compiled.map(({ hookPoint: site, positions }, at) => ({ site, positions, ...kinds[at] }));
    expect(bySite).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ positions: 'last', mode: 'add', source: 'toy/1-res' }),
        expect.objectContaining({ site: 'blocks.0.hook_resid_pre', mode: 'add', source: 'vector' }),
        expect.objectContaining({ positions: 'all', mode: 'set', source: 'toy/1-res' }),
      ]),
    );
  });
});

describe('a vector’s hook point', () => {
  const hookPoints = new Map([
    ['blocks.1.hook_resid_post', [4]],
    ['blocks.1.attn.hook_z', [2, 3]],
    ['blocks.1.attn.hook_rot_q', [2, 3]],
  ]);
  const resolve = (place: string, data: Float32Array) => {
    const context = {
      card: { ...card, hookPoints },
      registry,
      saved: new SavedSteerings(null),
      maxEdits: 8,
      promptLengths: null,
    };
    return resolveSteering({ edits: [edit({ vector: { hookPoint: place, data } })] }, context).edits;
  };

  it('may be one of a sublayer, as wide as that is, and may be named as Hugging Face names its module', () => {
    const wide = new Float32Array(6).fill(1);
    expect(resolve('blocks.1.attn.hook_z', wide)).toMatchObject([{ hookPoint: 'blocks.1.attn.hook_z', write: wide }]);
    expect(resolve('model.layers.1', direction)).toMatchObject([{ hookPoint }]);
  });

  it('is refused where it does not exist, where no edit can be made, and for a direction of another width', () => {
    const refused = (place: string, data: Float32Array, problem: object) =>
      expect(() => resolve(place, data)).toThrow(expect.objectContaining(problem));
    refused('blocks.1.attn.hook_y', direction, {
      code: 'hook_point_not_found',
      param: 'steering.edits[0].vector.hook_point',
      suggestions: expect.arrayContaining(['blocks.1.attn.hook_z']),
    });
    refused('blocks.1.attn.hook_rot_q', new Float32Array(6).fill(1), { code: 'edit_not_applicable' });
    refused('blocks.1.attn.hook_z', direction, { code: 'edit_not_applicable' });
  });
});
