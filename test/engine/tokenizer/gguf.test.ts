import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint, GgufTokenizer } from '../../../engine/checkpoint/index.ts';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { createTokenizer } from '../../../engine/tokenizer/index.ts';
import { type FamilyFolder, familyFolders, familyPath } from '../../harness/families.ts';
import { refusal } from '../checkpoint/fixtures.ts';

const folder = resolve(import.meta.dirname, '../../fixtures/families-gguf');

const texts = [
  'Why',
  'Licensed under the Apache License, Version 2.0',
  ' two  spaces,   three\n\n\nlines\r\n\ttabs ',
  "It's 1234567 o'clock; DON'T \u{1f389} caf\u00e9 cafe\u0301 \u00bd \u0663\u0664",
  '',
  '   ',
];

/** A family's checkpoint as published, or as the GGUF file that was made of it; closed: tokenizers need no weights. */
async function closed(path: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path);
  await checkpoint.close();
  return checkpoint;
}

async function ggufFiles(
  name: FamilyFolder,
): Promise<{ readonly checkpoint: Checkpoint; readonly files: GgufTokenizer }> {
  const checkpoint = await closed(join(folder, `${name}.gguf`));
  if (checkpoint.tokenizerFiles?.kind !== 'gguf') throw new Error('the file has no tokenizer');
  return { checkpoint, files: checkpoint.tokenizerFiles };
}

describe('a GGUF tokenizer gives the ids of the tokenizer.json that it was made from', () => {
  it.each(familyFolders)('%s', async (name) => {
    const published = await closed(familyPath(name));
    const { checkpoint } = await ggufFiles(name);
    const original = await createTokenizer(published);
    const tokenizer = await createTokenizer(checkpoint);
    for (const text of texts) {
      for (const addSpecialTokens of [true, false]) {
        const ids = [...original.encode(text, { addSpecialTokens })];
        expect([...tokenizer.encode(text, { addSpecialTokens })], JSON.stringify(text)).toEqual(ids);
        expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(original.decode(ids, { skipSpecial: true }));
      }
    }
    expect(tokenizer.specialTokenIds).toEqual(original.specialTokenIds);
    expect(tokenizer.vocabularySize).toBe(original.vocabularySize);
    expect(checkpoint.config.bosTokenId).toBe(published.config.bosTokenId);
    expect(published.config.eosTokenIds).toEqual(expect.arrayContaining([...checkpoint.config.eosTokenIds]));
    expect(checkpoint.chatTemplate).toBe(published.chatTemplate);
  });

  it('takes a word that is a token for it where the pre-tokenizer says so, and merges where not', async () => {
    // 'ab' is a token that no merge leads to.
    const { checkpoint, files } = await ggufFiles('llama3');
    const encode = async (preTokenizer: string) => {
      const few = { tokens: ['a', 'b', 'ab'], tokenTypes: [1, 1, 1], merges: [], addBos: false };
      const tokenizer = await createTokenizer({
        ...only(checkpoint),
        tokenizerFiles: { ...files, ...few, preTokenizer },
      });
      return [...tokenizer.encode('ab', { addSpecialTokens: false })];
    };
    expect(await encode('llama-bpe')).toEqual([2]);
    expect(await encode('qwen2')).toEqual([0, 1]);
  });

  it('puts spaces back into tokens that a user defined, and merges them before all others', async () => {
    const { checkpoint, files } = await ggufFiles('gemma2');
    const few = {
      tokens: ['<unk>', '\u2581', 'a', '\u2581a', '  '],
      tokenTypes: [2, 1, 1, 1, 4],
      sentencePiece: { scores: [0, -9, -9, -1, -1000], addsSpace: false },
      addBos: false,
    };
    const tokenizer = await createTokenizer({ ...only(checkpoint), tokenizerFiles: { ...files, ...few } });
    expect([...tokenizer.encode('  a', { addSpecialTokens: false })]).toEqual([4, 2]);
    expect([...tokenizer.encode(' a', { addSpecialTokens: false })]).toEqual([3]);
    expect(tokenizer.decode([4, 2], { skipSpecial: false })).toBe('  a');
  });

  it('is refused where its kind is not known, or scores are missing', async () => {
    const { checkpoint, files } = await ggufFiles('gemma2');
    const open = (change: Partial<GgufTokenizer>) =>
      refusal(createTokenizer({ ...only(checkpoint), tokenizerFiles: { ...files, ...change } }));
    expect((await open({ model: 'bert' })).message).toContain("model 'bert'");
    expect((await open({ model: 'gpt2', preTokenizer: 'tekken' })).message).toContain("pre-tokenizer 'tekken'");
    expect((await open({ sentencePiece: { scores: [1], addsSpace: true } })).message).toContain(
      'one score for each token',
    );
  });
});

function only({ path, config }: Checkpoint) {
  return { path, config };
}
