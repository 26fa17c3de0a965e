import { describe, expect, it } from 'vitest';
import type { Contrast, ContrastRequest } from '../../../routes/services.ts';
import { fakeApp } from '../../harness/http.ts';

const path = '/api/v1/contrast';
const area = { auroc: 0.9, low: 0.8, high: 0.95 };
const made: Contrast = {
  items: { positive: 2, negative: 2, topics: 0 },
  tokens: 12,
  folds: 2,
  vector: {
    hookPoint: 'blocks.3.hook_resid_post',
    values: Float32Array.of(1, 0, 0, -2),
    norm: Math.sqrt(5),
    relativeNorm: 0.2,
    heldOut: area,
    effectSize: 2,
    heldOutWithChoice: null,
    probe: { positiveMean: 3, negativeMean: 1, deviation: 1 },
    nearest: [],
    saved: null,
  },
  hookPoints: [{ hookPoint: 'blocks.3.hook_resid_post', heldOut: area, effectSize: 2 }],
  bagOfWords: area,
  sources: [],
};

/** An app whose contrasts say what they were asked. */
function app() {
  const asked: ContrastRequest[] = [];
  const contrast = async (request: ContrastRequest) => {
    asked.push(request);
    return made;
  };
  return { asked, ...fakeApp({ contrast }) };
}

const pairs = [
  { positive: 'the cat sat', negative: 'a dog ran', topic: 'one' },
  { positive: { text: 'birds sing' }, negative: 'fish swim', topic: 'two' },
];

describe('POST /api/v1/contrast', () => {
  it('answers in snake case, with the vector in base64', async () => {
    const { post } = app();
    const response = await post(path, { pairs });
    expect(response.status).toBe(200);
    const body = (await response.json()) as { readonly vector: { readonly data: string } };
    expect(body).toMatchObject({
      method: 'difference_of_means',
      positions: 'mean',
      bag_of_words: area,
      vector: {
        hook_point: 'blocks.3.hook_resid_post',
        held_out: area,
        relative_norm: 0.2,
        probe: { positive_mean: 3 },
      },
      hook_points: [{ effect_size: 2 }],
    });
    const floats = new Float32Array(Uint8Array.from(Buffer.from(body.vector.data, 'base64')).buffer);
    expect([...floats]).toEqual([1, 0, 0, -2]);
  });

  it('hands pairs on in order, with their topics and where they stood', async () => {
    const { post, asked } = app();
    await post(path, { pairs, folds: 3, save_as: { name: 'x' }, hook_points: ['blocks.1.hook_resid_post'] });
    const [request] = asked;
    expect(request).toMatchObject({
      paired: true,
      folds: 3,
      saveAs: { name: 'x' },
      hookPoints: ['blocks.1.hook_resid_post'],
    });
    expect(request.positive.map(({ topic, param }) => [topic, param])).toEqual([
      ['one', 'pairs[0].positive'],
      ['two', 'pairs[1].positive'],
    ]);
  });

  it("takes classes of unequal size, and of a conversation the last message's own tokens", async () => {
    const { post, asked } = app();
    const messages = [
      { role: 'user', content: 'the cat' },
      { role: 'assistant', content: 'sat on' },
    ];
    const response = await post(path, { positive: ['a b', 'c d', { messages }], negative: [{ text: 'e f' }, 'g h'] });
    expect(response.status).toBe(200);
    const [{ paired, positive, negative }] = asked;
    expect([paired, positive.length, negative.length]).toEqual([false, 3, 2]);
    const { tokenIds, own } = positive[2];
    expect(own.from).toBeGreaterThan(0);
    expect(own.to).toBeLessThanOrEqual(tokenIds.length);
    expect(own.to - own.from).toBeLessThan(tokenIds.length / 2);
    expect(positive[0].own).toEqual({ from: 0, to: positive[0].tokenIds.length });
  });

  it('finds the token that an answer ends in', async () => {
    const { post, asked } = app();
    const item = (answer: string) => ({ text: 'is it a or b ? answer a end', answer });
    const response = await post(path, {
      positions: 'answer',
      positive: [item('a'), item('answer a')],
      negative: [item('b'), item('end')],
    });
    expect(response.status).toBe(200);
    const [{ positive, negative }] = asked;
    const behind = (at: number | null, tokens: Int32Array) => tokens.length - (at ?? 0);
    // the last mention counts: the answer itself and not the question
    expect(positive[0].answer).toBe(positive[1].answer);
    expect(behind(positive[0].answer, positive[0].tokenIds)).toBeGreaterThan(
      behind(negative[1].answer, negative[1].tokenIds),
    );
    expect(negative[0].answer).toBeLessThan(positive[0].answer ?? 0);
  });

  it.each([
    [{}, 'invalid_request', 'pairs'],
    [{ pairs, positive: ['a b'] }, 'invalid_request', 'positive'],
    [{ pairs: [] }, 'invalid_request', 'pairs'],
    [{ pairs: [{ positive: 'a b' }] }, 'invalid_request', 'pairs[0].negative'],
    [{ pairs: [...pairs, { positive: 'a b', negative: { text: 'c', messages: [] } }] }, 'invalid_request', undefined],
    [
      { positive: ['a b', { text: 'c d', token_ids: [1] }], negative: ['e f'] },
      'invalid_request',
      'positive[1].token_ids',
    ],
    [{ positive: ['a b', { token_ids: [999_999] }], negative: ['e f'] }, 'invalid_request', undefined],
    [{ pairs, method: 'magic' }, 'invalid_request', 'method'],
    [{ pairs, folds: 1 }, 'invalid_request', 'folds'],
    [{ pairs, hook_point: 'blocks.1.hook_resid_post' }, 'unknown_field', 'hook_point'],
    [
      { pairs: [{ positive: { text: 'a b', answer: 'a' }, negative: 'c d' }] },
      'invalid_request',
      'pairs[0].positive.answer',
    ],
    [
      {
        positions: 'answer',
        pairs: [{ positive: { text: 'a b', answer: 'z' }, negative: { text: 'c d', answer: 'd' } }],
      },
      'invalid_request',
      'pairs[0].positive.answer',
    ],
    [{ pairs: [{ positive: 'a '.repeat(600), negative: 'c d' }] }, 'context_length_exceeded', 'pairs[0].positive'],
    [
      { pairs: [{ positive: 'a b', negative: { text: 'c '.repeat(600) } }] },
      'context_length_exceeded',
      'pairs[0].negative.text',
    ],
  ])('refuses %j', async (body, code, param) => {
    const { post, asked } = app();
    const response = await post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code, ...(param === undefined ? {} : { param }) });
    expect(asked).toHaveLength(0);
  });
});
