import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TillerError } from '../../../engine/core/index.ts';
import { createChatTemplate, createTokenizer } from '../../../engine/tokenizer/index.ts';
import { familyTokenizer, huggingFace } from './fixtures.ts';

const folder = resolve(import.meta.dirname, '../../fixtures/chat-templates');
const schema = z.object({
  models: z.array(
    z.object({
      template: z.string(),
      tokenizer: z.string(),
      bos_token: z.string().nullable(),
      eos_token: z.string(),
      cases: z.array(
        z.object({
          messages: z.array(z.object({ role: z.string(), content: z.string() })),
          add_generation_prompt: z.boolean(),
          variables: z.record(z.string(), z.unknown()),
          text: z.string().optional(),
          ids: z.array(z.number()).optional(),
          refusal: z.string().optional(),
        }),
      ),
    }),
  ),
});
/** By transformers' apply_chat_template (test/golden/make_chat_templates.py). */
const { models } = schema.parse(JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')));

function rendered(act: () => string): { readonly text?: string; readonly refusal?: string } {
  try {
    return { text: act() };
  } catch (error) {
    if (!(error instanceof TillerError) || error.code !== 'invalid_request') throw error;
    return { refusal: error.message };
  }
}

describe.each(models)('the chat template of $template', ({ template, tokenizer: name, cases, ...markers }) => {
  const chatTemplate = readFileSync(join(folder, `${template}.jinja`), 'utf8');
  const source = { ...huggingFace(familyTokenizer(name), markers, 1024), chatTemplate };
  const chat = createChatTemplate(source);
  const tokenizer = createTokenizer(source);

  it('renders every conversation as transformers does, and refuses what it refuses, in its words', () => {
    for (const { messages, add_generation_prompt: addGenerationPrompt, variables, ...expected } of cases) {
      const { text, refusal } = rendered(() => chat?.render(messages, { addGenerationPrompt, variables }) ?? '');
      expect(text, JSON.stringify(messages)).toBe(expected.text);
      if (expected.refusal !== undefined) expect(refusal).toContain(expected.refusal);
    }
  });

  it('gives the same tokens', async () => {
    for (const { text, ids } of cases) {
      if (text === undefined) continue;
      expect([...(await tokenizer).encode(text, { addSpecialTokens: false })], JSON.stringify(text)).toEqual(ids);
    }
  });

  it('never has its start token twice, from text to tokens to text to tokens', async () => {
    const { encode, decode, ...rest } = bound(await tokenizer);
    const start = markers.bos_token === null ? undefined : encode(markers.bos_token, false)[0];
    for (const { text, ids } of cases) {
      if (text === undefined || ids === undefined) continue;
      const first = encode(text, true);
      expect(first).toEqual(ids);
      const again = encode(decode(first), true);
      expect(again[0] === start && again[1] === start, JSON.stringify(text)).toBe(false);
      // Llama 2's kind puts a space after every special token, so that its text grows by it
      if (!rest.grows) expect(again).toEqual(ids);
    }
  });
});

function bound(tokenizer: Awaited<ReturnType<typeof createTokenizer>>) {
  return {
    encode: (text: string, addSpecialTokens: boolean) => [...tokenizer.encode(text, { addSpecialTokens })],
    decode: (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecial: false }),
    grows: tokenizer.decode(tokenizer.encode('<s>a', { addSpecialTokens: false }), { skipSpecial: false }) === '<s> a',
  };
}
