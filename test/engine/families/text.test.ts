import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openCheckpoint } from '../../../engine/checkpoint/index.ts';
import { createChatTemplate, createTokenizer } from '../../../engine/tokenizer/index.ts';
import { familyFolders, familyPath } from '../../harness/families.ts';

const golden = z.object({
  cases: z.array(z.object({ name: z.string(), text: z.string().optional(), ids: z.array(z.number()) })),
});
const generation = z.object({ eos_token_id: z.union([z.number(), z.array(z.number())]) });
const read = (folder: string, file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'));

describe.each(familyFolders)('text of %s', (name) => {
  const folder = familyPath(name);
  const short = golden.parse(read(folder, 'golden.json')).cases.find((one) => one.name === 'short');

  it("becomes the tokens of the original library, with what the family's tokenizer adds", async () => {
    const checkpoint = await openCheckpoint(folder);
    try {
      const tokenizer = await createTokenizer(checkpoint);
      const ids = [...tokenizer.encode(short?.text ?? '', { addSpecialTokens: true })];
      expect(ids).toEqual(short?.ids);
      expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(short?.text);
      expect(createChatTemplate(checkpoint)).toBeNull();
    } finally {
      await checkpoint.close();
    }
  });

  it('ends at every end token that generation_config.json lists', async () => {
    const listed = [generation.parse(read(folder, 'generation_config.json')).eos_token_id].flat();
    const checkpoint = await openCheckpoint(folder);
    try {
      expect(checkpoint.config.eosTokenIds).toEqual(expect.arrayContaining(listed));
      expect(checkpoint.config.eosTokenIds.length).toBeLessThanOrEqual(listed.length + 1);
    } finally {
      await checkpoint.close();
    }
  });
});
