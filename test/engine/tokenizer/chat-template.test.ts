import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { TillerError } from '../../../engine/core/index.ts';
import { createChatTemplate } from '../../../engine/tokenizer/index.ts';
import { folderWith } from '../checkpoint/fixtures.ts';
import { huggingFace, smollm2, tinyLlama } from './fixtures.ts';

const hello = [{ role: 'user', content: 'Hello {{ 1 + 1 }}' }];

function templateOf(chatTemplate: string) {
  const source = huggingFace({}, { bos_token: '<s>', eos_token: { content: '</s>' } });
  const template = createChatTemplate({ ...source, chatTemplate });
  if (template === null) throw new Error('no template');
  return template;
}

function thrown(act: () => unknown): TillerError {
  try {
    act();
  } catch (error) {
    if (error instanceof TillerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('chat templates', () => {
  it('of the default model: its system message first, then the conversation as it stands', () => {
    const text = createChatTemplate(smollm2())?.render(hello, { addGenerationPrompt: true });
    expect(text).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' +
        '<|im_start|>user\nHello {{ 1 + 1 }}<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('of tiny-llama, from tokenizer_config.json and from GGUF alike', async () => {
    for (const folder of ['f32', 'gguf']) {
      const checkpoint = await openCheckpoint(join(tinyLlama, folder));
      const text = createChatTemplate(checkpoint)?.render(hello, { addGenerationPrompt: false });
      expect(text).toBe('<|im_start|>user\nHello {{ 1 + 1 }}<|im_end|>\n');
      await checkpoint.close();
    }
  });

  it('prefer chat_template.jinja, and take the default of several', async () => {
    const { chatTemplateFromFolder } = await import('../../../engine/checkpoint/huggingface-files.ts');
    const config = {
      chat_template: [
        { name: 'tool_use', template: 'T' },
        { name: 'default', template: 'D' },
      ],
    };
    expect(await chatTemplateFromFolder(await folderWith({}), config)).toBe('D');
    expect(await chatTemplateFromFolder(await folderWith({ 'chat_template.jinja': 'J' }), config)).toBe('J');
    expect(await chatTemplateFromFolder(await folderWith({}), {})).toBeNull();
  });

  it('know the markers, that there are no tools, and the date', () => {
    const text = templateOf(
      "{{ bos_token }}{% if tools is not none %}tools{% endif %}{{ eos_token }}{{ strftime_now('%Y') }}",
    );
    expect(text.render(hello, { addGenerationPrompt: false })).toBe(`<s></s>${new Date().getFullYear()}`);
  });

  it('refuse messages in their own words', () => {
    const template = templateOf(
      "{% if messages[0]['role'] != 'system' %}{{ raise_exception('Start with a system message') }}{% endif %}",
    );
    const error = thrown(() => template.render(hello, { addGenerationPrompt: true }));
    expect(error.code).toBe('invalid_request');
    expect(error.param).toBe('messages');
    expect(error.message).toContain('Start with a system message');
  });

  it('take variables of their own, and refuse those that would have no effect or are not for the caller', () => {
    const template = templateOf(
      '{% if enable_thinking is defined and not enable_thinking %}quick {% endif %}{{ effort }}',
    );
    const render = (variables: Readonly<Record<string, unknown>>) => () =>
      template.render(hello, { addGenerationPrompt: true, variables });
    expect(render({ enable_thinking: false, effort: 'low' })()).toBe('quick low');
    expect(render({ enable_thinking: true })()).toBe('');
    expect(thrown(render({ enable_thinkin: true }))).toMatchObject({
      code: 'invalid_request',
      param: 'chat_template_kwargs.enable_thinkin',
      suggestions: expect.arrayContaining(['enable_thinking']),
    });
    for (const name of ['messages', 'tools', 'bos_token', 'add_generation_prompt', 'strftime_now']) {
      expect(thrown(render({ [name]: 'x' })), name).toMatchObject({ param: `chat_template_kwargs.${name}` });
    }
  });

  it('are null where there is none, and refused where they are not Jinja', () => {
    expect(createChatTemplate(huggingFace({}))).toBeNull();
    expect(thrown(() => templateOf('{% if %}')).code).toBe('checkpoint_invalid');
  });
});
