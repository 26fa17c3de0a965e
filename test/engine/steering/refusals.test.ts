import { describe, expect, it } from 'vitest';
import type { EditSpecification, ErrorCode } from '../../../engine/core/index.ts';
import { TillerError } from '../../../engine/core/index.ts';
import { compileEdits, positionsOverlap, type RefusalName, refusals } from '../../../engine/steering/index.ts';
import { feature, options, specification, vector } from './builders.ts';

type Case = [RefusalName, ErrorCode, RegExp, string, readonly EditSpecification[], number?];

const e0 = 'steering.edits[0]';
const e1 = 'steering.edits[1]';
const topK = feature({ encoder: null });
const zero = vector({ direction: new Float32Array(4) });
const range = (from: number, to: number) => ({ positions: { from, to } });
const ablate = (v: readonly number[], changes: Partial<EditSpecification> = {}) =>
  specification(vector({ direction: Float32Array.from(v) }), 'ablate', null, changes);

const cases: readonly Case[] = [
  [
    'tooManyEdits',
    'too_many_edits',
    /9 edits .* limit of 8/,
    'steering.edits[8]',
    Array.from({ length: 9 }, () => specification(feature(), 'add', 1)),
  ],
  [
    'notEditable',
    'edit_not_applicable',
    /blocks.1.attn.hook_rot_q.* edit hook_q and hook_k instead/,
    e0,
    [specification(vector({ hookPoint: 'blocks.1.attn.hook_rot_q' }), 'add', 1)],
  ],
  ['numberMissing', 'invalid_request', /'strength'/, `${e0}.strength`, [specification(feature(), 'add', null)]],
  ['numberMissing', 'invalid_request', /'value'/, `${e0}.value`, [specification(feature(), 'pin', null)]],
  ['numberMissing', 'invalid_request', /'factor'/, `${e0}.factor`, [specification(feature(), 'scale', null)]],
  ['numberUnwanted', 'invalid_request', /ablate takes no number/, e0, [specification(feature(), 'ablate', 1)]],
  [
    'numberNotFinite',
    'edit_not_applicable',
    /'strength'/,
    `${e0}.strength`,
    [specification(feature(), 'add', Number.NaN)],
  ],
  [
    'numberNotFinite',
    'edit_not_applicable',
    /'factor'/,
    `${e0}.factor`,
    [specification(feature(), 'scale', Number.POSITIVE_INFINITY)],
  ],
  ['outOfRange', 'edit_not_applicable', /smaller number/, `${e0}.strength`, [specification(feature(), 'add', 1e30)]],
  [
    'outOfRange',
    'edit_not_applicable',
    /smaller number/,
    `${e0}.factor`,
    [specification(vector(), 'orthogonal', -1e30)],
  ],
  [
    'outOfRange',
    'edit_not_applicable',
    /smaller number/,
    `${e0}.value`,
    [specification(feature({ maxActivation: 1e300 }), 'set', 1e300, { unit: null })],
  ],
  [
    'unitMeaningless',
    'edit_not_applicable',
    /max_activation .* a vector/,
    `${e0}.unit`,
    [specification(vector(), 'add', 1, { unit: 'max_activation' })],
  ],
  [
    'unitMeaningless',
    'edit_not_applicable',
    /stream_norm .* factor of mode scale/,
    `${e0}.unit`,
    [specification(feature(), 'scale', 1, { unit: 'stream_norm' })],
  ],
  [
    'unitMeaningless',
    'edit_not_applicable',
    /factor of mode orthogonal/,
    `${e0}.unit`,
    [specification(feature(), 'orthogonal', 1, { unit: 'max_activation' })],
  ],
  [
    'unitMeaningless',
    'edit_not_applicable',
    /takes no number/,
    `${e0}.unit`,
    [specification(feature(), 'ablate', null, { unit: 'max_activation' })],
  ],
  [
    'maxActivationMissing',
    'statistics_missing',
    /raw, or add statistics/,
    `${e0}.unit`,
    [specification(feature({ maxActivation: null }), 'add', 1, { unit: null })],
  ],
  [
    'maxActivationMissing',
    'statistics_missing',
    /m\/s\/1/,
    `${e0}.unit`,
    [specification(feature({ maxActivation: 0 }), 'set', 1, { unit: 'max_activation' })],
  ],
  [
    'streamNormMissing',
    'statistics_missing',
    /raw, or measure .*tiller collect/,
    `${e0}.unit`,
    [specification(vector({ streamNorm: null }), 'add', 1, { unit: null })],
  ],
  [
    'streamNormMissing',
    'statistics_missing',
    /blocks.1/,
    `${e0}.unit`,
    [specification(feature({ streamNorm: null }), 'add', 1, { unit: 'stream_norm' })],
  ],
  [
    'wrongWidth',
    'edit_not_applicable',
    /3 floats.*4 wide/,
    e0,
    [specification(vector({ direction: Float32Array.of(1, 2, 3) }), 'add', 1)],
  ],
  [
    'wrongWidth',
    'edit_not_applicable',
    /5 floats/,
    e0,
    [specification(feature({ decoder: new Float32Array(5) }), 'add', 1)],
  ],
  [
    'directionNotFinite',
    'edit_not_applicable',
    /index 2/,
    e0,
    [specification(vector({ direction: Float32Array.of(1, 2, Number.NaN, 0) }), 'add', 1)],
  ],
  ['zeroDirection', 'edit_not_applicable', /zero/, e0, [specification(zero, 'ablate', null)]],
  ['zeroDirection', 'edit_not_applicable', /zero/, e0, [specification(zero, 'add', 1, { unit: null })]],
  [
    'zeroDirection',
    'edit_not_applicable',
    /zero/,
    e0,
    [specification(feature({ decoder: new Float32Array(4) }), 'orthogonal', 1)],
  ],
  ['noEncoder', 'edit_not_applicable', /TopK.*mode set/, `${e0}.mode`, [specification(topK, 'set', 1)]],
  ['noEncoder', 'edit_not_applicable', /TopK.*mode ablate/, `${e0}.mode`, [specification(topK, 'ablate', null)]],
  [
    'noEncoder',
    'edit_not_applicable',
    /TopK.*only_if_active/,
    `${e0}.only_if_active`,
    [specification(topK, 'add', 1, { onlyIfActive: true })],
  ],
  [
    'pinTooWeak',
    'edit_not_applicable',
    /0\.040.*set or add/,
    e0,
    [specification(feature({ decoder: Float32Array.of(0.04, 0, 1, 0) }), 'pin', 1)],
  ],
  [
    'onlyIfActiveVector',
    'edit_not_applicable',
    /no threshold/,
    `${e0}.only_if_active`,
    [specification(vector(), 'add', 1, { onlyIfActive: true })],
  ],
  [
    'onlyIfActiveOrthogonal',
    'edit_not_applicable',
    /reads once/,
    `${e0}.only_if_active`,
    [specification(feature(), 'orthogonal', 1, { onlyIfActive: true })],
  ],
  [
    'emptyRange',
    'invalid_request',
    /from 3 to 3/,
    `${e0}.positions`,
    [specification(feature(), 'add', 1, range(3, 3))],
  ],
  ['emptyRange', 'invalid_request', /half open/, `${e0}.positions`, [specification(feature(), 'add', 1, range(-1, 3))]],
  ['emptyRange', 'invalid_request', /whole/, `${e0}.positions`, [specification(feature(), 'add', 1, range(0.5, 3))]],
  [
    'rangeOutsidePrompt',
    'edit_not_applicable',
    /prompt has 5 tokens/,
    `${e0}.positions`,
    [specification(feature(), 'add', 1, range(3, 6))],
    5,
  ],
  [
    'sameTarget',
    'edits_conflict',
    /edits\[0\] and steering.edits\[1\]/,
    e1,
    [specification(feature(), 'set', 1), specification(feature(), 'scale', 2)],
  ],
  [
    'sameTarget',
    'edits_conflict',
    /edits\[0\]/,
    e1,
    [
      specification(feature(), 'ablate', null, { positions: 'prompt' }),
      specification(feature(), 'cap', 2, { positions: 'generated' }),
    ],
  ],
  [
    'sameTarget',
    'edits_conflict',
    /edits\[0\]/,
    e1,
    [
      specification(vector(), 'set', 1),
      specification(vector({ id: 'w', direction: Float32Array.of(0, 0, -6, -8) }), 'scale', 1),
    ],
  ],
  [
    'sameTarget',
    'edits_conflict',
    /edits\[0\]/,
    e1,
    [ablate([1, 0, 0, 0]), specification(vector({ direction: Float32Array.of(2, 0, 0, 0) }), 'floor', 1)],
  ],
  [
    'sameTarget',
    'edits_conflict',
    /edits\[0\]/,
    e1,
    [specification(feature(), 'set', 1, range(0, 5)), specification(feature(), 'set', 2, range(4, 8))],
  ],
  [
    'ablationsOverlap',
    'edits_conflict',
    /same positions/,
    e1,
    [ablate([1, 0, 0, 0], range(0, 5)), ablate([1, 1, 0, 0], range(4, 8))],
  ],
  [
    'ablationsOverlap',
    'edits_conflict',
    /same positions/,
    e1,
    [ablate([1, 0, 0, 0]), ablate([1, 1, 0, 0], { skipSpecial: true })],
  ],
];

function refusalOf(specifications: readonly EditSpecification[], promptLength?: number): TillerError {
  const numbered = specifications.map((each, index) => ({ ...each, param: `steering.edits[${index}]` }));
  try {
    compileEdits(numbered, { ...options, promptLength });
  } catch (error) {
    if (error instanceof TillerError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('refusals', () => {
  it.each<Case>(cases)('%s: %s, %s', (name, code, message, param, specifications, promptLength) => {
    const refused = refusalOf(specifications, promptLength);
    expect(refused.code).toBe(code);
    expect(refused.code).toBe(refusals[name].code);
    expect(refused.message).toMatch(message);
    expect(refused.param).toBe(param);
    expect(refused.message).not.toMatch(/undefined|NaN/);
  });

  it('have a case for every row of the table', () => {
    expect(new Set(cases.map(([name]) => name))).toEqual(new Set(Object.keys(refusals)));
  });

  it('name the nearest hook points', () => {
    const refused = refusalOf([specification(vector({ hookPoint: 'blocks.1.hook_resid_pots' }), 'add', 1)]);
    expect(refused).toMatchObject({ code: 'hook_point_not_found', param: e0 });
    expect(refused.suggestions[0]).toBe('blocks.1.hook_resid_post');
    expect(refusalOf([specification(vector({ hookPoint: 'blocks.3.hook_resid_post' }), 'add', 1)]).code).toBe(
      'hook_point_not_found',
    );
  });
});

describe('positions over several prompts', () => {
  const meet = (a: EditSpecification['positions'], b: EditSpecification['positions']) => () =>
    compileEdits(
      [specification(feature(), 'set', 1, { positions: a }), specification(feature(), 'set', 2, { positions: b })],
      {
        ...options,
        promptLength: 1,
        longestPromptLength: 5,
      },
    );

  it('may not meet in the longest', () => {
    expect(meet('prompt', 'last')).toThrow(/overlapping/);
    expect(meet('all_but_first', 'last')).toThrow(/overlapping/);
    expect(meet('prompt', 'generated')).toThrow(/overlapping/);
  });

  it('nor in the shortest', () => {
    expect(meet({ from: 0, to: 1 }, 'last')).toThrow(/overlapping/);
    expect(meet({ from: 0, to: 1 }, 'all_but_first')).not.toThrow();
  });

  it('meet somewhere only where they meet at one of the ends', () => {
    const kinds = ['all', 'all_but_first', 'prompt', 'generated', 'assistant', 'last', range(0, 1), range(1, 3)];
    const sets = kinds.map((kind) => (typeof kind === 'string' ? kind : kind.positions));
    for (const a of sets as EditSpecification['positions'][]) {
      for (const b of sets as EditSpecification['positions'][]) {
        const met = [3, 4, 5, 6].map((length) => positionsOverlap(a, b, length));
        expect(met.includes(true)).toBe(met[0] === true || met[3] === true);
      }
    }
  });
});

describe('what is not refused', () => {
  it.each<[string, readonly EditSpecification[], number?]>([
    ['two adds of one feature', [specification(feature(), 'add', 1), specification(feature(), 'add', 2)]],
    ['an add beside a set', [specification(feature(), 'set', 1), specification(feature(), 'add', 2)]],
    ['two features', [specification(feature(), 'set', 1), specification(feature({ id: 'm/s/2' }), 'set', 2)]],
    [
      'ranges that do not meet',
      [specification(feature(), 'set', 1, range(0, 4)), specification(feature(), 'set', 2, range(4, 8))],
    ],
    [
      'position 0 beside all_but_first',
      [
        specification(feature(), 'set', 1, range(0, 1)),
        specification(feature(), 'set', 2, { positions: 'all_but_first' }),
      ],
    ],
    [
      'a range before the generated ones',
      [specification(feature(), 'set', 1, range(0, 4)), specification(feature(), 'set', 2, { positions: 'generated' })],
      5,
    ],
    [
      'one vector at two hook points',
      [ablate([1, 0, 0, 0]), specification(vector({ hookPoint: 'blocks.0.hook_resid_mid' }), 'ablate', null)],
    ],
    [
      'vectors that are not parallel',
      [specification(vector(), 'set', 1), specification(vector({ direction: Float32Array.of(1, 0, 3, 4) }), 'set', 1)],
    ],
    ['a zero vector added raw', [specification(zero, 'add', 1)]],
    [
      'raw where the number is raw anyway',
      [specification(feature(), 'scale', 2, { unit: 'raw' }), specification(vector(), 'ablate', null, { unit: 'raw' })],
    ],
    [
      'a TopK feature added or split off',
      [specification(topK, 'add', 1), specification(feature({ id: 'm/s/2', encoder: null }), 'orthogonal', 0)],
    ],
    [
      'a threshold of infinity: it never fires',
      [
        specification(
          feature({ encoder: { direction: new Float32Array(4), bias: 0, threshold: Number.POSITIVE_INFINITY } }),
          'ablate',
          null,
        ),
      ],
    ],
  ])('%s', (_, specifications, promptLength) => {
    expect(compileEdits(specifications, { ...options, promptLength })).toHaveLength(specifications.length);
  });

  it('but a range of unknown place beside the generated ones is', () => {
    expect(
      refusalOf([
        specification(feature(), 'set', 1, range(0, 4)),
        specification(feature(), 'set', 2, { positions: 'generated' }),
      ]).code,
    ).toBe('edits_conflict');
  });
});
