import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { ActivationsEvent, activationsResponseSchema } from '../../../routes/native/activation-schemas.ts';
import { refuseLargeActivations } from '../../../routes/native/activation-size.ts';
import { planReading } from '../../../routes/native/reading-plan.ts';
import { fakeApp, sseData } from '../../harness/http.ts';
import { readSafetensors } from '../../harness/read-safetensors.ts';

const path = '/api/v1/activations';
const safetensors = { Accept: 'application/vnd.safetensors' };
type Body = z.infer<typeof activationsResponseSchema>;
const ask = async (body: object) => {
  const response = await fakeApp().post(path, body);
  expect(response.status).toBe(200);
  return (await response.json()) as Body;
};

describe('activations of texts', () => {
  it('are told of each token and of the whole', async () => {
    const { model, sources, inputs, warnings, steering } = await ask({ text: 'cats', top_k_per_token: 1 });
    expect(model).toBe('toy-chat');
    expect(sources).toEqual([{ source: 'toy-chat/3-res', hook_point: 'blocks.3.hook_resid_post', features: 8 }]);
    expect([warnings, steering]).toEqual([undefined, undefined]);
    const [input] = inputs;
    expect(input).toMatchObject({ prompt_tokens: 4, reply: null });
    expect(input?.tokens.map(({ text, start, end }) => [text, start, end])).toEqual([
      ['c', 0, 1],
      ['a', 1, 2],
      ['t', 2, 3],
      ['s', 3, 4],
    ]);
    const [source] = input?.sources ?? [];
    expect(source?.first_position).toBe(0);
    // the first token is a sink: nothing is said of it
    expect(source?.tokens).toEqual([[], [{ index: 1, value: 1 }], [{ index: 2, value: 2 }], [{ index: 3, value: 3 }]]);
    expect(source).toMatchObject({ counted_tokens: 3, ignored_positions: [0], truncated_positions: [2] });
    expect(source?.features[0]).toMatchObject({
      id: 'toy-chat/3-res/1',
      max: 9,
      mean: 3,
      sum: 27,
      count: 3,
      last: 0,
      frequency: 0.25,
      position: 9,
    });
  });

  it('of a batch come in its order, also in pieces', async () => {
    const long = 'x'.repeat(300);
    const { inputs } = await ask({
      inputs: [{ text: 'ab' }, { text: long }, { token_ids: [97, 98, 99] }],
      include_sinks: true,
    });
    expect(inputs.map(({ prompt_tokens }) => prompt_tokens)).toEqual([2, 300, 3]);
    expect(inputs[1]?.sources[0]?.tokens.map(([feature]) => feature?.value)).toEqual(
      Array.from({ length: 300 }, (_, p) => p),
    );
    expect(inputs[1]?.sources[0]?.ignored_positions).toEqual([]);
  });

  it('of chosen features leave the others out', async () => {
    const { inputs } = await ask({ text: 'abcd', features: ['toy-chat/3-res/2'] });
    expect(inputs[0]?.sources[0]?.tokens).toEqual([[], [{ index: 2, value: 0.5 }], [{ index: 2, value: 2 }], []]);
  });

  it('of a reply are those of its tokens but the last', async () => {
    const body = {
      messages: [{ role: 'user', content: 'Hi' }],
      over: 'generated',
      generation: { max_tokens: 5, seed: 3 },
    };
    const { inputs } = await ask(body);
    const [input] = inputs;
    expect(input?.reply).toEqual({ text: 'Hi \uFFFD', finish_reason: 'length', seed: 3 });
    expect(input?.tokens).toHaveLength((input?.prompt_tokens ?? 0) + 5);
    expect(input?.sources[0]?.first_position).toBe(input?.prompt_tokens);
    expect(input?.sources[0]?.tokens).toHaveLength(4);
    expect(input?.tokens.at(-1)).toMatchObject({ role: 'assistant', message: 1, start: 3, end: 4 });
    const both = await ask({ ...body, over: 'both' });
    expect(both.inputs[0]?.sources[0]?.tokens).toHaveLength((input?.prompt_tokens ?? 0) + 4);
  });

  it('are read under steering, and the answer says which', async () => {
    const app = fakeApp();
    const steering = { edits: [{ feature: 'toy-chat/3-res/1', mode: 'add', strength: 2, positions: 'assistant' }] };
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Yo' },
    ];
    const response = await app.post(path, { inputs: [{ messages }, { text: 'ab' }], steering });
    expect(await response.json()).toMatchObject({ steering: { edits: [{ target: 'toy-chat/3-res/1' }] } });
    const [chat, text] = app.engine.requests;
    expect(chat?.edits).toHaveLength(1);
    expect(chat?.positionContext.assistantRanges).toHaveLength(1);
    expect(text?.positionContext.assistantRanges).toHaveLength(0);
    expect(chat?.stop.maxTokens).toBe(0);
  });

  it('come as tensors where they are asked for', async () => {
    const inputs = [{ text: 'abc' }, { messages: [{ role: 'user', content: 'Hé' }] }];
    const response = await fakeApp().post(path, { inputs, top_k_per_token: 2 }, safetensors);
    expect(response.headers.get('content-type')).toBe('application/vnd.safetensors');
    const { tensors, metadata } = readSafetensors(new Uint8Array(await response.arrayBuffer()));
    const json = await ask({ inputs, top_k_per_token: 2 });
    const of = (name: string) => Array.from(tensors.get(name)?.values ?? [], Number);
    const tokens = json.inputs.flatMap((input) => input.tokens);
    expect(of('token_ids')).toEqual(tokens.map(({ id }) => id));
    expect(of('starts')).toEqual(tokens.map(({ start }) => start ?? -1));
    expect(of('messages')).toEqual(tokens.map(({ message }) => message ?? -1));
    expect(of('positions')).toEqual(tokens.map(({ position }) => position));
    expect(of('input_offsets')).toEqual([0, 3, tokens.length]);
    const features = json.inputs.flatMap((input) => input.sources[0]?.tokens ?? []);
    const [offsets, indices, values] = ['offsets', 'indices', 'values'].map((name) => of(`toy-chat/3-res.${name}`));
    const rows = features.map((_, t) =>
      indices
        ?.slice(offsets?.[t], offsets?.[t + 1])
        .map((index, at) => ({ index, value: values?.[(offsets?.[t] as number) + at] })),
    );
    expect(rows).toEqual(features);
    expect(of('toy-chat/3-res.counted')).toEqual(tokens.map(({ position }) => Number(position > 0)));
    expect(of('toy-chat/3-res.text.offsets')).toEqual([0, 1, 2]);
    expect(of('toy-chat/3-res.text.sum')).toEqual([27, 27]);
    expect(JSON.parse(metadata.sources ?? '')).toEqual(json.sources);
    expect(JSON.parse(metadata.replies ?? '')).toEqual([null, null]);
  });

  it('come as events, one for each token', async () => {
    const app = fakeApp();
    const body = { inputs: [{ text: 'ab' }, { text: 'c' }], over: 'both', generation: { max_tokens: 2 }, stream: true };
    const response = await app.post(path, body);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = sseData(await response.text()).map((data) => JSON.parse(data) as ActivationsEvent);
    expect(events.map(({ type }) => type).join(' ')).toBe(
      'start token token token token end token token token end done',
    );
    const first = events.flatMap((event) => (event.type === 'token' && event.input === 0 ? [event] : []));
    expect(
      first.map(({ token, sources }) => [token.position, sources === null ? null : sources[0]?.features.length]),
    ).toEqual([
      [0, 0],
      [1, 2],
      [2, 2],
      // the reply's last token is never read
      [3, null],
    ]);
    expect(first[0]?.sources?.[0]?.ignored).toBe(true);
    expect(events[5]).toMatchObject({ input: 0, prompt_tokens: 2, reply: { text: 'Hi', finish_reason: 'length' } });
  });

  it('refused as a stream are refused with a status; a failure later on is told inside', async () => {
    const refused = await fakeApp({ limits: { maxReplyTokens: 4 } }).post(path, {
      text: 'a',
      over: 'both',
      stream: true,
    });
    expect([refused.status, await refused.json()]).toMatchObject([400, { param: 'generation.max_tokens' }]);
    const failing = fakeApp({
      beforeToken: async () => {
        throw new Error('broken');
      },
    });
    const told = sseData(await (await failing.post(path, { text: 'ab', over: 'both', stream: true })).text());
    expect(JSON.parse(told.at(-1) ?? '')).toMatchObject({ type: 'error', error: { code: 'internal' } });
    expect(failing.unexpected).toHaveLength(1);
  });

  it.each<[object, number, string, string]>([
    [{}, 400, 'invalid_request', 'text'],
    [{ text: 'a', inputs: [{ text: 'b' }] }, 400, 'invalid_request', 'inputs'],
    [{ inputs: [{ text: 'a' }, { text: '' }] }, 400, 'invalid_request', 'inputs[1].text'],
    [{ inputs: [] }, 400, 'invalid_request', 'inputs'],
    [{ inputs: [{ text: 'a' }, { txt: 'b' }] }, 400, 'unknown_field', 'inputs[1].txt'],
    [{ text: 'a', sources: ['3-rse'] }, 404, 'source_not_found', 'sources'],
    [{ text: 'a', features: ['3-res/99'] }, 404, 'feature_not_found', 'features[0]'],
    [{ text: 'a', features: ['3-res/1'], sources: ['3-res'] }, 400, 'invalid_request', 'features'],
    [{ text: 'a', over: 'reply' }, 400, 'invalid_request', 'over'],
    [{ text: 'a', generation: { max_tokens: 3 } }, 400, 'invalid_request', 'generation'],
    [
      { text: 'a', over: 'both', generation: { max_tokens: 600 } },
      400,
      'context_length_exceeded',
      'generation.max_tokens',
    ],
    [{ text: 'a', rank_by: 'median' }, 400, 'invalid_request', 'rank_by'],
    [{ text: 'a', model: 'nobody' }, 404, 'model_not_found', 'model'],
    [{ text: 'a', model: 'toy-chat@nobody' }, 404, 'profile_not_found', 'model'],
    [{ text: 'a', steering: { profile: 'nobody' } }, 404, 'profile_not_found', 'steering.profile'],
    [
      { text: 'a', steering: { edits: [{ feature: '3-res/1', mode: 'add' }] } },
      400,
      'invalid_request',
      'steering.edits[0].strength',
    ],
    [{ text: 'x'.repeat(513) }, 400, 'context_length_exceeded', 'text'],
  ])('refuses %j', async (body, status, code, param) => {
    const response = await fakeApp().post(path, body);
    expect(await response.json()).toMatchObject({ status, code, param });
  });

  it('refuses what it cannot answer in, and answers that would be too large, before anything is read', async () => {
    const html = await fakeApp().post(path, { text: 'a' }, { Accept: 'text/html' });
    expect([html.status, await html.json()]).toMatchObject([406, { code: 'not_acceptable', param: 'Accept' }]);
  });

  it('refuses answers that could be too large, with the estimate, the limit and the way out', async () => {
    const app = fakeApp({ contextLength: 60_000, limits: { bodyBytes: 4_000_000 } });
    const model = app.services.model('toy-chat').model;
    const body = { text: 'x'.repeat(50_000), over: 'prompt' as const };
    const plan = await planReading(
      app.services,
      async () => ({ model, profile: null }),
      body,
      new AbortController().signal,
    );
    const source = { id: 'toy-chat/3-res', hookPoint: '', features: 4096, chosen: null, perToken: 100, perText: 20 };
    const size = (type: string) => () =>
      refuseLargeActivations(plan, { sources: [source], run: unused }, { type, chosen: false });
    expect(size('application/json')).toThrow(/could take 187 MB and may take 64 MB: lower 'top_k_per_token'/);
    expect(size('application/vnd.safetensors')).not.toThrow();
    expect(app.engine.requests).toHaveLength(0);
  });
});

const unused = () => {
  throw new Error('nothing may be read');
};
