import { describe, expect, it } from 'vitest';
import type { ReadingInputsBody } from '../../../routes/native/reading-input-schemas.ts';
import { inputPositions, toReadingInputs } from '../../../routes/native/reading-inputs.ts';
import { describeReply, describeTokens } from '../../../routes/native/reading-tokens.ts';
import { type FakeOptions, fakeServices } from '../../harness/fake-services.ts';
import { toyTemplate } from '../../harness/toy-model.ts';

const modelOf = (options: FakeOptions = {}) => fakeServices(options).services.model('toy-chat').model;
const read = (body: ReadingInputsBody, options: FakeOptions = {}, mostTokens = 4096, addGenerationPrompt = false) =>
  toReadingInputs(modelOf(options), body, {
    signal: new AbortController().signal,
    mostTokens,
    addGenerationPrompt,
  });
const spelled = (ids: Int32Array) => modelOf().tokenizer.decode(ids, { skipSpecial: false });
const messages = [
  { role: 'user' as const, content: 'Hé?' },
  { role: 'assistant' as const, content: 'A' },
];

describe('reading inputs', () => {
  it('are one at the top level or a batch, each of its own kind', async () => {
    expect((await read({ text: 'ab' })).map(({ param, text }) => [param, text])).toEqual([['text', 'ab']]);
    const batch = await read({ inputs: [{ text: 'ab' }, { messages }, { token_ids: [97, 256] }] });
    expect(batch.map(({ param }) => param)).toEqual(['inputs[0].text', 'inputs[1].messages', 'inputs[2].token_ids']);
    expect(spelled(batch[1]?.tokenIds ?? new Int32Array())).toBe(
      toyTemplate.render(messages, { addGenerationPrompt: false }),
    );
    expect(batch[2]).toMatchObject({ text: 'a<|im_start|>', tokenIds: Int32Array.of(97, 256) });
  });

  it('end where the answer begins if the input or the route says so', async () => {
    const texts = async (body: ReadingInputsBody, byDefault: boolean) =>
      (await read(body, {}, 4096, byDefault))[0]?.text;
    const open = toyTemplate.render(messages, { addGenerationPrompt: true });
    expect(await texts({ messages }, true)).toBe(open);
    expect(await texts({ messages, add_generation_prompt: true }, false)).toBe(open);
    expect(await texts({ messages, add_generation_prompt: false }, true)).not.toBe(open);
  });

  it.each<[ReadingInputsBody, string, string]>([
    [{}, 'invalid_request', 'text'],
    [{ text: 'a', token_ids: [1] }, 'invalid_request', 'token_ids'],
    [{ text: 'a', inputs: [{ text: 'b' }] }, 'invalid_request', 'inputs'],
    [{ inputs: [{ text: 'a' }, {}] }, 'invalid_request', 'inputs[1].text'],
    [{ inputs: [{ text: 'a' }, { text: 'a', messages }] }, 'invalid_request', 'inputs[1].messages'],
    [{ inputs: [{ token_ids: [1, 9999] }] }, 'invalid_request', 'inputs[0].token_ids[1]'],
    [{ inputs: [{ text: 'a', add_generation_prompt: true }] }, 'invalid_request', 'inputs[0].add_generation_prompt'],
    [{ inputs: [{ text: 'a' }, { text: 'x'.repeat(65) }] }, 'context_length_exceeded', 'inputs[1].text'],
    [
      { inputs: [{ text: 'a' }, { messages: [{ role: 'user', content: 'x'.repeat(65) }] }] },
      'context_length_exceeded',
      'inputs[1].messages',
    ],
    [{ inputs: [{ text: 'a'.repeat(60) }, { text: 'b'.repeat(60) }] }, 'invalid_request', 'inputs[1].text'],
  ])('refuse %j', async (body, code, param) => {
    await expect(read(body, { contextLength: 64 }, 100)).rejects.toMatchObject({ code, param });
  });

  it('refuse conversations where there is no template, and those that it refuses', async () => {
    const none = read({ inputs: [{ messages }] }, { chatTemplate: null });
    await expect(none).rejects.toMatchObject({ code: 'unsupported', param: 'inputs[0].messages' });
    const chatTemplate = {
      render: () => {
        throw new Error('roles must alternate');
      },
    };
    const refused = read({ inputs: [{ text: 'a' }, { messages }] }, { chatTemplate });
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request', param: 'inputs[1].messages' });
  });

  it('stop where the caller leaves', async () => {
    const left = AbortSignal.abort();
    await expect(toReadingInputs(modelOf(), { text: 'a' }, { signal: left, mostTokens: 9 })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('let edits tell a conversation from its template', async () => {
    const [chat, text] = await read({ inputs: [{ messages }, { text: 'ab' }] });
    const edit = { positions: 'assistant', skipSpecial: false } as never;
    if (!chat || !text) throw new Error('not read');
    expect(inputPositions(chat, modelOf(), [edit]).assistantRanges).toHaveLength(1);
    expect(inputPositions(text, modelOf(), [edit])).toMatchObject({ promptLength: 2, assistantRanges: [] });
  });
});

describe('tokens of an input', () => {
  it('stand in the content of their message, template tokens nowhere', async () => {
    const [chat] = await read({ messages });
    if (!chat) throw new Error('not read');
    const { tokens, warning } = describeTokens(chat, modelOf().tokenizer);
    expect(warning).toBeNull();
    expect(tokens).toHaveLength(chat.tokenIds.length);
    const words = tokens.filter(({ message }) => message !== null);
    expect(words.map(({ start, end, message, role }) => [start, end, message, role])).toEqual([
      [0, 1, 0, 'user'],
      [1, 2, 0, 'user'],
      [1, 2, 0, 'user'],
      [2, 3, 0, 'user'],
      [0, 1, 1, 'assistant'],
    ]);
    expect(tokens[0]).toEqual({
      position: 0,
      id: 256,
      text: '<|im_start|>',
      start: null,
      end: null,
      message: null,
      role: null,
    });
    // one token a byte: half a character shows as such
    expect(words[1]?.text).toBe('\uFFFD');
  });

  it('stand where they stood before a template trimmed them', async () => {
    const chatTemplate: typeof toyTemplate = {
      render: (given, options) =>
        toyTemplate.render(
          given.map(({ role, content }) => ({ role, content: content.trim() })),
          options,
        ),
    };
    const [chat] = await read({ messages: [{ role: 'user', content: ' \n€x ' }] }, { chatTemplate });
    if (!chat) throw new Error('not read');
    const words = describeTokens(chat, modelOf().tokenizer).tokens.filter(({ message }) => message === 0);
    expect(words.map(({ start, end }) => [start, end])).toEqual([
      [2, 3],
      [2, 3],
      [2, 3],
      [3, 4],
    ]);
  });

  it('have no place, with a word why, where the template or the tokenizer rewrites', async () => {
    const chatTemplate: typeof toyTemplate = {
      render: (given, options) =>
        toyTemplate.render(
          given.map(({ role, content }) => ({ role, content: content.toUpperCase() })),
          options,
        ),
    };
    const [chat] = await read({ inputs: [{ messages: [{ role: 'user', content: 'abc' }] }] }, { chatTemplate });
    if (!chat) throw new Error('not read');
    const { tokens, warning } = describeTokens(chat, modelOf().tokenizer);
    expect(warning?.param).toBe('inputs[0].messages');
    expect(tokens.every(({ start, message }) => start === null && message === null)).toBe(true);
    // a byte that is no text: the decoded text has a replacement character there
    const [broken] = await read({ token_ids: [97, 0xc3, 98] });
    if (!broken) throw new Error('not read');
    expect(describeTokens(broken, modelOf().tokenizer).warning?.param).toBe('token_ids');
  });

  it('of a text stand in the text, the start token nowhere', async () => {
    const options = { prependBegin: true };
    const [text] = await read({ text: 'aé' }, options);
    if (!text) throw new Error('not read');
    const { tokens } = describeTokens(text, modelOf(options).tokenizer);
    expect(tokens.map(({ start, end }) => [start, end])).toEqual([
      [null, null],
      [0, 1],
      [1, 2],
      [1, 2],
    ]);
  });

  it('of a reply stand in the reply', () => {
    const { tokens, warning } = describeReply([97, 0xc3, 0xa9, 257], modelOf().tokenizer, 7, 2);
    expect(warning).toBeNull();
    expect(tokens.map(({ position, start, end }) => [position, start, end])).toEqual([
      [7, 0, 1],
      [8, 1, 2],
      [9, 1, 2],
      [10, 2, 12],
    ]);
    expect(tokens[0]).toMatchObject({ message: 2, role: 'assistant' });
    expect(describeReply([0xc3], modelOf().tokenizer, 0, null)).toMatchObject({
      warning: { param: 'reply' },
      tokens: [{ role: null, start: null }],
    });
  });
});
