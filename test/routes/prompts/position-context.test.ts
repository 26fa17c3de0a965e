import { describe, expect, it } from 'vitest';
import type { ChatMessage, ChatTemplate } from '../../../engine/core/index.ts';
import { toChatPrompt } from '../../../routes/prompts/chat-prompt.ts';
import { chatPositionContext } from '../../../routes/prompts/position-context.ts';
import { fakeServices } from '../../harness/fake-services.ts';
import { toyTemplate, toyTokenizer } from '../../harness/toy-model.ts';

const tokenizer = toyTokenizer();
const text = (ids: ArrayLike<number>) => tokenizer.decode(ids, { skipSpecial: false });

async function contextOf(
  messages: readonly ChatMessage[],
  asks: 'assistant' | 'special' | 'neither',
  { template = toyTemplate, ...options }: { template?: ChatTemplate; continue_final_message?: boolean } = {},
) {
  const { services } = fakeServices({ chatTemplate: template });
  const { model } = services.model('toy-chat');
  const { edits } = model.resolveSteering({
    edits: [
      {
        feature: 'toy-chat/3-res/1',
        mode: 'ablate',
        number: null,
        unit: null,
        positions: asks === 'assistant' ? 'assistant' : 'all',
        skipSpecial: asks === 'special',
        onlyIfActive: false,
        param: 'steering.edits[0]',
      },
    ],
  });
  const prompt = await toChatPrompt(model, messages, options);
  return { prompt, context: chatPositionContext(prompt, tokenizer, edits) };
}

const conversation: ChatMessage[] = [
  { role: 'user', content: 'one' },
  { role: 'assistant', content: 'two ü' },
  { role: 'user', content: 'two ü' },
  { role: 'assistant', content: '' },
  { role: 'user', content: 'three' },
];

describe('assistant ranges', () => {
  it('are the positions that predicted each token of the message, its end token included', async () => {
    const { prompt, context } = await contextOf(conversation, 'assistant');
    const predicted = context.assistantRanges.map(([from, to]) => text(prompt.tokenIds.slice(from + 1, to + 1)));
    expect(predicted).toEqual(['two ü<|im_end|>', '<|im_end|>']);
  });

  it('are what `generated` was when the message was written', async () => {
    const before = (await contextOf(conversation.slice(0, 1), 'assistant')).prompt.tokenIds.length;
    const reply = tokenizer.encode('two ü', { addSpecialTokens: false }).length;
    const { context } = await contextOf(conversation, 'assistant');
    // Generated: the last prompt token and each generated one that was fed back, which the end token was not.
    expect(context.assistantRanges[0]).toEqual([before - 1, before + reply]);
  });

  it('reach to the end of a message that is to be continued', async () => {
    const { prompt, context } = await contextOf(conversation.slice(0, 2), 'assistant', {
      continue_final_message: true,
    });
    expect(text(prompt.tokenIds).endsWith('two ü')).toBe(true);
    expect(context.assistantRanges[0]?.[1]).toBe(prompt.tokenIds.length);
  });

  it('do not mistake the default system message or equal words elsewhere for the message', async () => {
    const messages = [
      { role: 'user', content: 'Be brief.' },
      { role: 'assistant', content: 'assistant' },
    ];
    const { prompt, context } = await contextOf(messages, 'assistant');
    const [from = 0, to = 0] = context.assistantRanges[0] ?? [];
    expect(text(prompt.tokenIds.slice(from, to))).toBe('\nassistant');
  });
});

describe('the cost', () => {
  it('is two renderings, however many messages there are', async () => {
    let renderings = 0;
    const template: ChatTemplate = {
      render: (...given) => {
        renderings++;
        return toyTemplate.render(...given);
      },
    };
    const messages = Array.from({ length: 12 }, (_, at) => ({ role: at % 2 ? 'assistant' : 'user', content: 'x' }));
    expect((await contextOf(messages, 'assistant', { template })).context.assistantRanges).toHaveLength(6);
    expect(renderings).toBe(2);
  });
});

describe('special positions', () => {
  it('are all tokens of the template, the default system message among them', async () => {
    const { prompt, context } = await contextOf([{ role: 'user', content: 'hi ü' }], 'special');
    const words = prompt.tokenIds.filter((_, position) => context.promptIsSpecial[position] === 0);
    expect(text(words)).toBe('hi ü');
  });

  it('include special tokens that somebody spelled out', async () => {
    const { prompt, context } = await contextOf([{ role: 'user', content: 'a<|im_end|>b' }], 'special');
    const words = prompt.tokenIds.filter((_, position) => context.promptIsSpecial[position] === 0);
    expect(text(words)).toBe('ab');
  });

  it('are special ids alone where no edit asks, at no cost of rendering', async () => {
    let renderings = 0;
    const template: ChatTemplate = {
      render: (messages, options) => {
        renderings++;
        return toyTemplate.render(messages, options);
      },
    };
    const { context, prompt } = await contextOf(conversation, 'neither', { template });
    expect(renderings).toBe(1);
    expect(context.promptIsSpecial.reduce((sum, bit) => sum + bit)).toBe(
      prompt.tokenIds.filter((id) => tokenizer.specialTokenIds.has(id)).length,
    );
  });
});

describe('templates that do not keep the words', () => {
  const rewriting: Record<string, (content: string) => string> = {
    upperCases: (content) => content.toUpperCase(),
    drops: () => '',
    repeats: (content) => content + content,
  };
  it.each(Object.keys(rewriting))('%s: refused', async (name) => {
    const template: ChatTemplate = {
      render: (messages, options) =>
        toyTemplate.render(
          messages.map(({ role, content }) => ({ role, content: rewriting[name]?.(content) ?? content })),
          options,
        ),
    };
    await expect(contextOf([{ role: 'user', content: 'words' }], 'special', { template })).rejects.toMatchObject({
      code: 'edit_not_applicable',
    });
  });

  it('trims: kept, because the words are still there', async () => {
    const template: ChatTemplate = {
      render: (messages, options) =>
        toyTemplate.render(
          messages.map(({ role, content }) => ({ role, content: content.trim() })),
          options,
        ),
    };
    const { prompt, context } = await contextOf([{ role: 'user', content: '  words\n' }], 'special', { template });
    expect(text(prompt.tokenIds.filter((_, position) => context.promptIsSpecial[position] === 0))).toBe('words');
  });
});
