import { describe, expect, it } from 'vitest';
import { TillerError } from '../../../engine/core/index.ts';
import { ruleLimits, toRuleRequests } from '../../../routes/http/rules-request.ts';
import type { RuleBody } from '../../../routes/http/rules-schema.ts';

const data = Buffer.from(Float32Array.of(1, 2).buffer).toString('base64');
const fires = { feature: '837', above: 0.4 };

function refused(when: unknown, more: Partial<RuleBody> = {}): { code: string; param?: string; message: string } {
  try {
    toRuleRequests([{ when: fires }, { when: when as RuleBody['when'], ...more }]);
  } catch (error) {
    if (error instanceof TillerError) return { code: error.code, param: error.param, message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('rules of a request', () => {
  it('are conditions as they were nested, with edits as under steering.edits', () => {
    const [rule] = toRuleRequests([
      {
        when: {
          all: [
            fires,
            { not: { vector: 'pirate:2', hook_point: 'blocks.3.hook_resid_post', below: -1, unit: 'cosine' } },
            {
              any: [
                { probe: { hook_point: 'blocks.1.hook_resid_post', data, bias: 0.5 }, above: 0, end_of_prompt: 'mean' },
              ],
            },
          ],
        },
        latch: true,
        do: [{ feature: '12', mode: 'add', strength: 2 }],
      },
    ]);
    const param = 'steering.rules[0].when.all';
    expect(rule).toMatchObject({
      latch: true,
      stop: false,
      param: 'steering.rules[0]',
      edits: [{ feature: '12', mode: 'add', number: 2, param: 'steering.rules[0].do[0]' }],
      when: {
        kind: 'all',
        of: [
          { kind: 'compare', feature: '837', above: true, threshold: 0.4, over: 'token', param: `${param}[0]` },
          {
            kind: 'not',
            of: {
              vector: 'pirate:2',
              hookPoint: 'blocks.3.hook_resid_post',
              above: false,
              threshold: -1,
              unit: 'cosine',
            },
          },
          {
            kind: 'any',
            of: [{ bias: 0.5, over: 'mean', param: `${param}[2].any[0]`, probe: { data: Float32Array.of(1, 2) } }],
          },
        ],
      },
    });
  });

  const at = 'steering.rules[1].when';
  const tooDeep = Array.from({ length: ruleLimits.depth }).reduce<unknown>((inner) => ({ not: inner }), fires);
  it.each([
    ['an empty group', { all: [fires, { any: [] }] }, 'invalid_request', `${at}.all[1].any`],
    ['a group that is no list', { any: fires }, 'invalid_request', `${at}.any`],
    ['a group beside something', { any: [fires], above: 1 }, 'invalid_request', `${at}.above`],
    ['what is no object', { any: [[fires]] }, 'invalid_request', `${at}.any[0]`],
    ['too deep a condition', tooDeep, 'invalid_request', `${at}${'.not'.repeat(ruleLimits.depth)}`],
    ['nothing to compare', {}, 'invalid_request', at],
    ['two targets', { any: [{ ...fires, vector: 'v' }] }, 'invalid_request', `${at}.any[0]`],
    ['no number', { any: [{ feature: '1' }] }, 'invalid_request', `${at}.any[0]`],
    ['two numbers', { any: [{ feature: '1', above: 1, below: 2 }] }, 'invalid_request', `${at}.any[0]`],
    [
      'a number that is not finite',
      { any: [{ feature: '1', above: Infinity }] },
      'edit_not_applicable',
      `${at}.any[0].above`,
    ],
    ['a misspelt field', { any: [{ featur: '1', above: 1 }] }, 'unknown_field', `${at}.any[0].featur`],
    ['a unit that is none', { feature: '1', above: 1, unit: 'sigma' }, 'invalid_request', `${at}.unit`],
    [
      'an aggregate that is none',
      { feature: '1', above: 1, end_of_prompt: 'sum' },
      'invalid_request',
      `${at}.end_of_prompt`,
    ],
    [
      'a hook point beside a feature',
      { feature: '1', above: 1, hook_point: 'x' },
      'invalid_request',
      `${at}.hook_point`,
    ],
    [
      'a vector that is no float32',
      { vector: { hook_point: 'h', data: 'AAA=' }, above: 1 },
      'invalid_request',
      `${at}.vector.data`,
    ],
  ])('refuse %s, naming it', (_what, when, code, param) => {
    expect(refused(when)).toMatchObject({ code, param });
  });

  it('refuse to stop and to edit at once, and more than is let through', () => {
    const edits: RuleBody['do'] = [{ feature: '1', mode: 'ablate' }];
    expect(refused(fires, { stop: true, do: edits })).toMatchObject({ param: 'steering.rules[1].do' });
    const many = { any: Array.from({ length: ruleLimits.comparisons }, () => fires) };
    expect(refused(many)).toMatchObject({ param: `${at}.any[${ruleLimits.comparisons - 1}]` });
    expect(() => toRuleRequests(Array.from({ length: ruleLimits.rules + 1 }, () => ({ when: fires })))).toThrow(
      /limit of 16/,
    );
  });
});
