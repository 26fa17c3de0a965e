import { describe, expect, it } from 'vitest';
import type { EditReport, EditTarget, RuleReport } from '../../engine/core/index.ts';
import { toRuleRequests } from '../../routes/http/rules-request.ts';
import type { RuleBody } from '../../routes/http/rules-schema.ts';
import type { EditRequest, ModelCard } from '../../routes/services.ts';
import {
  fromStored,
  openStore,
  type Registry,
  type Source,
  thaw,
  thawRules,
  toStored,
} from '../../sae-registry/index.ts';
import { freezeSteering } from '../../src/profiles/freeze-steering.ts';
import type { RunnableProfile, SavedLookup } from '../../src/profiles/saved-steerings.ts';
import { refuseRulesUnless, resolveSteering } from '../../src/resolve-steering.ts';

const hookPoint = 'blocks.1.hook_resid_post';
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
const unused = () => {
  throw new Error('not asked for here');
};
const registry: Registry = {
  sources: [],
  store: await openStore(null),
  sourceOf: (id) => ({ id: id.slice(0, id.lastIndexOf('/')), dictionary: { hash: 'd' } }) as Source,
  streamNorm: () => null,
  target: (id): EditTarget => ({
    kind: 'feature',
    id: `toy/1-res/${id}`,
    hookPoint,
    encoder: id === '13' ? null : { direction: Float32Array.of(Number(id), 1, 0, 0), bias: 0.5, threshold: 0.25 },
    decoder: Float32Array.of(0, Number(id), 0, 1),
    maxActivation: id === '14' ? null : 2,
    sinkNorm: 40,
    streamNorm: 8,
  }),
  vectorTarget: (id, place, data) => ({ kind: 'vector', id, hookPoint: place, direction: data, streamNorm: 8 }),
  sourcesNamed: unused,
  encoder: unused,
  summary: unused,
  get: unused,
};
const pirate = {
  ...{ id: 5, model: 'toy', name: 'pirate', version: 2, description: '', method: 'uploaded', origin: null, addedAt: 0 },
  directions: [0, 2].map((block) => ({
    hookPoint: `blocks.${block}.hook_resid_post`,
    values: Float32Array.of(0, 3, 4, 0),
  })),
};

function contextWith(profile: RunnableProfile | null = null) {
  const saved: SavedLookup = { profile: () => profile ?? unused(), vector: () => pirate };
  return { card, registry, saved, maxEdits: 8, promptLengths: null };
}
const resolve = (rules: RuleBody[], edits: readonly EditRequest[] = [], profile: RunnableProfile | null = null) =>
  resolveSteering(
    { edits, rules: toRuleRequests(rules), ...(profile ? { profile: 'saved' } : {}) },
    contextWith(profile),
  );

const nudge = (feature: string) => ({ feature, mode: 'add', strength: 1 }) as const;

describe('rules that are resolved', () => {
  it('are refused where nothing runs them', () => {
    const steering = resolve([{ when: { feature: '3', above: 0.5 }, do: [nudge('4')] }]);
    expect(() => refuseRulesUnless(false, steering)).toThrow(
      expect.objectContaining({ code: 'edit_not_applicable', param: 'steering.rules' }),
    );
    expect(refuseRulesUnless(true, steering)).toBe(steering);
    const plain = resolve(
      [],
      [{ ...nudge('4'), number: 1, unit: null, positions: 'all', skipSpecial: false, onlyIfActive: false, param: 'p' }],
    );
    expect(refuseRulesUnless(false, plain)).toBe(plain);
  });

  it('compare in the probe’s own units, and read each thing once', () => {
    const { rules } = resolve([
      {
        when: {
          any: [
            { feature: '3', above: 0.5 },
            { feature: '3', below: 7, unit: 'raw' },
          ],
        },
        do: [nudge('4')],
      },
      {
        when: { vector: 'pirate', hook_point: 'blocks.2.hook_resid_post', above: 0.25, end_of_prompt: 'mean' },
        stop: true,
      },
      { when: { vector: 'pirate', hook_point: 'blocks.2.hook_resid_post', above: 0.25, unit: 'cosine' } },
      { when: { probe: 'pirate', hook_point: 'blocks.0.hook_resid_post', above: 0.5, unit: 'probability' } },
    ]);
    const everything = { threshold: Number.NEGATIVE_INFINITY, sinkNorm: Number.POSITIVE_INFINITY, bias: 0 };
    expect(rules?.probes).toEqual([
      { hookPoint, direction: Float32Array.of(3, 1, 0, 0), bias: 0.5, threshold: 0.25, sinkNorm: 40, perNorm: false },
      {
        hookPoint: 'blocks.2.hook_resid_post',
        direction: Float32Array.of(0, 0.6, 0.8, 0),
        perNorm: false,
        ...everything,
      },
      {
        hookPoint: 'blocks.2.hook_resid_post',
        direction: Float32Array.of(0, 0.6, 0.8, 0),
        perNorm: true,
        ...everything,
      },
      { hookPoint: 'blocks.0.hook_resid_post', direction: Float32Array.of(0, 3, 4, 0), perNorm: false, ...everything },
    ]);
    expect(rules?.rules.map(({ when }) => when)).toEqual([
      {
        kind: 'any',
        of: [
          { kind: 'compare', probe: 0, over: 'token', above: true, threshold: 1 },
          { kind: 'compare', probe: 0, over: 'token', above: false, threshold: 7 },
        ],
      },
      { kind: 'compare', probe: 1, over: 'mean', above: true, threshold: 2 },
      { kind: 'compare', probe: 2, over: 'token', above: true, threshold: 0.25 },
      { kind: 'compare', probe: 3, over: 'token', above: true, threshold: 0 },
    ]);
    expect(rules?.rules[0]?.edits).toMatchObject([{ hookPoint, coefficient: { beta: 2, gamma: 0 } }]);
  });

  const at = 'steering.rules[0].when';
  it.each([
    ['a TopK feature', { feature: '13', above: 1 }, /whole dictionary/, `${at}.feature`],
    ['a feature without statistics', { any: [{ feature: '14', above: 1 }] }, /maximum activation/, `${at}.any[0].unit`],
    ['a unit that means nothing', { feature: '3', above: 1, unit: 'cosine' }, /no meaning for a feature/, `${at}.unit`],
    [
      'no probability',
      { probe: 'pirate', hook_point: 'blocks.0.hook_resid_post', above: 1, unit: 'probability' },
      /no probability/,
      `${at}.above`,
    ],
    ['a vector of several places', { vector: 'pirate', above: 1 }, /name one of these/, `${at}.hook_point`],
  ])('refuse %s', (_what, when, message, param) => {
    expect(() => resolve([{ when }])).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message), param }),
    );
  });

  it('refuse edits that no condition lets through, or that cannot be added to what else may hold', () => {
    const when = { feature: '3', above: 1 };
    const [set] = toRuleRequests([{ when, do: [{ feature: '4', mode: 'set', value: 1 }] }])[0]?.edits ?? [];
    const setRule = { when, do: [{ feature: '4', mode: 'set', value: 2 }] } satisfies RuleBody;
    expect(() => resolve([{ when, do: [{ ...nudge('4'), positions: 'prompt' }] }])).toThrow(/tokens of the reply only/);
    expect(() => resolve([setRule], set ? [set] : [])).toThrow(/may hold at one token/);
    expect(() => resolve([setRule, setRule])).toThrow(/may hold at one token/);
    expect(() => resolve([setRule], set ? [{ ...set, positions: 'prompt' }] : [])).not.toThrow();
    const nine = Array.from({ length: 8 }, (_, index) => nudge(String(index + 20)));
    expect(() => resolve([{ when, do: nine }])).toThrow(/9 edits are more than the limit of 8/);
  });

  it('are reported by what they read, in their own units, and did', () => {
    const steering = resolve([{ when: { feature: '3', above: 0.5 }, latch: true, do: [nudge('4')] }]);
    const edit: EditReport = {
      tokens: 3,
      sinkTokens: 0,
      coefficient: { min: 2, max: 2 },
      relativeDose: 0.1,
      readBefore: null,
      readAfter: null,
    };
    const report: RuleReport = {
      ...{ tokensRead: 6, firstFired: 4, timesFired: 1, latched: true, stopped: false, edits: [edit] },
      values: [{ min: 0, max: 4, mean: 1 }],
    };
    const idle: RuleReport = {
      ...report,
      tokensRead: 2,
      firstFired: null,
      timesFired: 0,
      latched: false,
      values: [null],
      edits: [],
    };
    const { rules, fingerprint } = steering.report([[], []], [0, 1], [[idle], [report]]);
    expect(rules).toMatchObject([
      {
        ...{ tokens_read: 8, first_fired: 4, times_fired: 1, latched: true, stopped: false },
        comparisons: [{ target: 'toy/1-res/3', unit: 'max_activation', read: { min: 0, max: 2, mean: 0.5 } }],
        edits: [{ target: 'toy/1-res/4', tokens: 3 }],
      },
    ]);
    expect(fingerprint.sources).toEqual({ 'toy/1-res': 'd' });
  });
});

describe('rules of a profile', () => {
  it('run, frozen and read back, as they would have without it', () => {
    const rules: RuleBody[] = [
      {
        when: {
          not: {
            all: [
              { feature: '3', above: 0.5 },
              { vector: 'pirate', hook_point: 'blocks.0.hook_resid_post', below: 1, end_of_prompt: 'max' },
            ],
          },
        },
        latch: true,
        do: [nudge('4'), { feature: '5', mode: 'set', value: 1 }],
      },
      { when: { feature: '6', above: 0.1 }, stop: true },
    ];
    const { frozen, vectors, fingerprint } = freezeSteering({ edits: [], rules: toRuleRequests(rules) }, contextWith());
    expect(vectors).toEqual([5]);
    expect(fingerprint.sources).toEqual({ 'toy/1-res': 'd' });
    const again = { ...fromStored(JSON.parse(JSON.stringify(toStored(frozen)))), directions: frozen.directions };
    const profile = {
      saved: { id: 1, name: 'saved', version: 1, fingerprint: { ...fingerprint, model_hash: 'abc' } },
      specifications: thaw(again, 'steering.profile'),
      rules: thawRules(again, 'steering.profile'),
    } as unknown as RunnableProfile;
    const direct = resolve(rules);
    const saved = resolve([], [], profile);
    const withoutPlace = (found: typeof direct.rules) =>
      found && { ...found, rules: found.rules.map(({ param: _param, ...rule }) => rule) };
    expect(withoutPlace(saved.rules)).toEqual(withoutPlace(direct.rules));
    expect(saved.rules?.rules[1]?.param).toBe('steering.profile.rules[1]');
    expect(saved.report([], []).rules).toMatchObject([{ from_profile: true }, { from_profile: true }]);
  });
});
