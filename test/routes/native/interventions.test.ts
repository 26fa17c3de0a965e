import { describe, expect, it } from 'vitest';
import { askedInterventions } from '../../harness/fake-interventions.ts';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/interventions';
const post = 'blocks.3.hook_resid_post';
const text = 'the cat sat on the mat';
const base64 = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString('base64');

/** What is looked at of answers by itself. */
interface Told {
  readonly interventions: readonly { readonly kind: string }[];
  readonly hook_points: readonly string[];
  readonly positions: readonly number[];
  readonly corrupted_tokens: readonly unknown[];
  readonly contrast: unknown;
  readonly logits?: unknown;
}

describe('interventions', () => {
  it('are resolved to masks and values, and answered with both runs', async () => {
    const interventions = [
      {
        kind: 'patch',
        hook_point: 'blocks.2.hook_resid_pre',
        positions: [3, 1],
        values: [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
        ],
      },
      { kind: 'zero', hook_point: 'blocks.4.hook_resid_post', positions: 'generated' },
      { kind: 'patch', hook_point: post, positions: { from: 1, to: 3 }, from: { text: 'a b c d', positions: [2, 0] } },
      { kind: 'splice', source: '3-res', positions: [2] },
      { kind: 'mean', hook_point: 'blocks.0.hook_resid_post', over: [{ text: 'one two' }, { text: 'three' }] },
      { kind: 'patch', hook_point: 'blocks.5.hook_resid_post', positions: 'last', data: base64(9, 9, 9, 9) },
    ];
    const response = await fakeApp().post(path, { text, interventions, tokens: [5], top: 1, max_tokens: 2 });
    const body = (await response.json()) as Told;
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      baseline: { text: 'a reply', tokens: [{ id: 5, logit: 0 }], top: [{ id: 5, logit: 2, logprob: -1 }] },
      intervened: { tokens: [{ id: 5, logit: 1 }], finish_reason: 'length' },
      effects: [{ id: 5, logit: 1 }],
    });
    expect(body.interventions.map(({ kind }) => kind)).toEqual(interventions.map(({ kind }) => kind));
    const asked = askedInterventions.runs.at(-1);
    const { length } = asked?.tokenIds ?? [];
    const [given, zero, run, splice, mean, raw] = asked?.interventions ?? [];
    expect(given).toMatchObject({ kind: 'values', hookPoint: 'blocks.1.hook_resid_post', generated: null });
    // in the order of the positions named
    if (given?.kind === 'values') expect([...given.values.slice(4, 16)]).toEqual([5, 6, 7, 8, 0, 0, 0, 0, 1, 2, 3, 4]);
    expect([...(given?.mask ?? [])].slice(0, 4)).toEqual([0, 1, 0, 1]);
    expect([...(zero?.mask ?? [])]).toEqual([...new Array(length - 1).fill(0), 1]);
    expect(zero).toMatchObject({ generated: new Float32Array(4) });
    expect(run).toMatchObject({ kind: 'run', positions: [2, 0] });
    expect(splice).toMatchObject({ kind: 'splice', source: '3-res', errorTerm: false });
    expect(mean).toMatchObject({ kind: 'mean', generated: true, over: [{}, {}] });
    if (raw?.kind === 'values') expect([...raw.values.slice(-4)]).toEqual([9, 9, 9, 9]);
  });

  const one = (intervention: object) => ({ text, interventions: [intervention] });
  it.each([
    [
      'no hook point',
      one({ kind: 'zero', hook_point: 'blocks.9.hook_resid_post' }),
      404,
      'hook_point_not_found',
      'interventions[0].hook_point',
    ],
    [
      'not editable',
      one({ kind: 'zero', hook_point: 'blocks.1.ln1.hook_scale' }),
      422,
      'edit_not_applicable',
      'interventions[0].hook_point',
    ],
    [
      'wrong width',
      one({ kind: 'patch', hook_point: post, positions: [1], values: [[1, 2, 3]] }),
      400,
      'invalid_request',
      'interventions[0].values[0]',
    ],
    [
      'wrong number',
      one({ kind: 'patch', hook_point: post, positions: [1, 2, 3], data: base64(1, 2, 3, 4, 5, 6, 7, 8) }),
      400,
      'invalid_request',
      'interventions[0].data',
    ],
    [
      'not finite in float32',
      one({ kind: 'patch', hook_point: post, positions: [1], values: [[1, 2, 1e39, 4]] }),
      400,
      'invalid_request',
      'interventions[0].values[0]',
    ],
    [
      'not finite',
      one({ kind: 'patch', hook_point: post, positions: [1], data: base64(1, 2, Number.NaN, 4) }),
      422,
      'edit_not_applicable',
      'interventions[0].data',
    ],
    [
      'nothing to patch with',
      one({ kind: 'patch', hook_point: post, positions: [1] }),
      400,
      'invalid_request',
      'interventions[0].values',
    ],
    [
      'two things to patch with',
      one({ kind: 'patch', hook_point: post, positions: [1], data: base64(1), from: { text: 'a' } }),
      400,
      'invalid_request',
      'interventions[0].from',
    ],
    [
      'beyond the prompt',
      one({ kind: 'zero', hook_point: post, positions: [99] }),
      400,
      'invalid_request',
      'interventions[0].positions',
    ],
    [
      'a position twice',
      one({ kind: 'zero', hook_point: post, positions: [2, 2] }),
      400,
      'invalid_request',
      'interventions[0].positions',
    ],
    [
      'an empty range',
      one({ kind: 'zero', hook_point: post, positions: { from: 3, to: 3 } }),
      400,
      'invalid_request',
      'interventions[0].positions',
    ],
    [
      'generated positions patched',
      one({ kind: 'patch', hook_point: post, positions: 'generated', data: base64(1) }),
      400,
      'invalid_request',
      'interventions[0].positions',
    ],
    [
      'another number of positions',
      one({ kind: 'patch', hook_point: post, positions: [1, 2], from: { text: 'a b c d', positions: [1] } }),
      400,
      'invalid_request',
      'interventions[0].from.positions',
    ],
    ['an unknown kind', one({ kind: 'noise', hook_point: post }), 400, 'invalid_request', 'interventions[0].kind'],
    ['nothing to do', { text, interventions: [] }, 400, 'invalid_request', 'interventions'],
    [
      'several tokens in one',
      { ...one({ kind: 'zero', hook_point: post }), tokens: ['cat sat'] },
      400,
      'invalid_request',
      'tokens[0]',
    ],
    ['no prompt', { interventions: [{ kind: 'zero', hook_point: post }] }, 400, 'invalid_request', 'text'],
  ])('refuses %s', async (_, body, status, code, param) => {
    const response = await fakeApp().post(path, body);
    expect(await response.json()).toMatchObject({ status, code, param });
  });
});

describe('activation patching', () => {
  const where = '/api/v1/activation-patching';
  const prompts = { clean: { text: 'the cat sat' }, corrupted: { text: 'the dog sat' }, answer: 5, contrast: 6 };

  it('answers the metric of each run, raw and as a part of clean less corrupted', async () => {
    const response = await fakeApp().post(where, { ...prompts, layers: [1, 3], positions: [0, 2], logits: true });
    const body = await response.json();
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      hook_points: ['blocks.1.hook_resid_post', 'blocks.3.hook_resid_post'],
      positions: [0, 2],
      metric: { clean: 8, corrupted: 4 },
      patched: [
        [0, 1],
        [2, 3],
      ],
      effect: [
        [-4, -3],
        [-2, -1],
      ],
      normalised: [
        [-1, -0.75],
        [-0.5, -0.25],
      ],
      logits: {
        patched: [
          [
            [0, 0],
            [1, 0],
          ],
          [
            [2, 0],
            [3, 0],
          ],
        ],
      },
      answer: { id: 5 },
      contrast: { id: 6 },
      runs: 4,
    });
  });

  it('takes all layers and positions where none are named', async () => {
    const asked = { ...prompts, hook: 'mlp.hook_out', contrast: undefined };
    const body = (await (await fakeApp().post(where, asked)).json()) as Told;
    expect(body.hook_points).toHaveLength(6);
    expect(body.hook_points[5]).toBe('blocks.5.mlp.hook_out');
    expect(body.positions).toHaveLength(body.corrupted_tokens.length);
    expect(body.contrast).toBeNull();
    expect(body.logits).toBeUndefined();
  });

  it.each([
    [{ layers: [0, 9] }, 404, 'hook_point_not_found', 'layers[1]'],
    [{ hook: 'hook_nothing' }, 404, 'hook_point_not_found', 'hook'],
    [{ hook: 'attn.hook_pattern' }, 422, 'edit_not_applicable', 'hook'],
    [
      { hook_points: ['blocks.1.hook_resid_post', 'blocks.2.hook_resid_pre'] },
      400,
      'invalid_request',
      'hook_points[1]',
    ],
    [{ hook_points: ['blocks.1.hook_resid_post'], layers: [1] }, 400, 'invalid_request', 'hook_points'],
    [{ positions: [40] }, 400, 'invalid_request', 'positions'],
    [{ answer: 'two words' }, 400, 'invalid_request', 'answer'],
    [{ contrast: 999_999 }, 400, 'invalid_request', 'contrast'],
    [{ clean: { text: 'a', token_ids: [1] } }, 400, 'invalid_request', 'clean.token_ids'],
    [{ corrupted: {} }, 400, 'invalid_request', 'corrupted.text'],
  ])('refuses %j', async (more, status, code, param) => {
    const response = await fakeApp().post(where, { ...prompts, ...more });
    expect(await response.json()).toMatchObject({ status, code, param });
  });
});
