import { afterAll, describe, expect, it } from 'vitest';
import { openTokenizer } from '../../../engine/tokenizer/index.ts';
import { longestInline } from '../../../engine/tokenizer/thread-encoder.ts';
import { familyTokenizer, huggingFace, tinyTokenizerJson } from './fixtures.ts';

const whole = { addSpecialTokens: true };
const plain = { addSpecialTokens: false };
const llama3 = openTokenizer(huggingFace(familyTokenizer('llama3'), null, 1024));
afterAll(async () => (await llama3).encoder.close());

describe('the token that begins every text', () => {
  const bos = '<|begin_of_text|>';

  it('is put before a text that does not have it, and not before one that does', async () => {
    const { tokenizer } = await llama3;
    const ids = [...tokenizer.encode('hi', plain)];
    const [start] = tokenizer.encode(bos, plain);
    expect([...tokenizer.encode('hi', whole)]).toEqual([start, ...ids]);
    expect([...tokenizer.encode(`${bos}hi`, whole)]).toEqual([start, ...ids]);
    expect([...tokenizer.encode(`${bos}hi`, plain)]).toEqual([start, ...ids]);
    expect([...tokenizer.encode(bos, whole)]).toEqual([start]);
    expect([...tokenizer.encode('', whole)]).toEqual([start]);
  });

  it('stays as often as the text itself has it, and where it stands elsewhere', async () => {
    const { tokenizer } = await llama3;
    const [start] = tokenizer.encode(bos, plain);
    expect([...tokenizer.encode(bos + bos, whole)]).toEqual([start, start]);
    expect([...tokenizer.encode(`hi${bos}`, whole)].filter((id) => id === start)).toHaveLength(2);
  });

  it('is single in long texts too, which another thread encodes', async () => {
    const { tokenizer, encoder } = await llama3;
    const text = bos + 'hi '.repeat(longestInline);
    const ids = await encoder.encode(text, whole);
    expect(ids).toEqual(tokenizer.encode(text, plain));
    expect(await encoder.encode('hi '.repeat(longestInline), whole)).toEqual(ids);
  });

  it('is none where the tokenizer adds nothing, or adds at the end alone', async () => {
    const { tokenizer } = await openTokenizer(huggingFace(tinyTokenizerJson()));
    expect([...tokenizer.encode('<|im_start|><|im_start|>', whole)]).toEqual([1, 1]);
    const template = {
      type: 'TemplateProcessing',
      pair: [],
      special_tokens: { e: { id: 'e', ids: [2], tokens: ['<|im_end|>'] } },
    };
    const single = [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '<|im_end|>', type_id: 0 } }];
    const ending = await openTokenizer(
      huggingFace({ ...tinyTokenizerJson(), post_processor: { ...template, single } }),
    );
    expect([...ending.tokenizer.encode('<|im_end|>', whole)]).toEqual([2, 2]);
  });
});
