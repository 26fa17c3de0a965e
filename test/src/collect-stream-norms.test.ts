import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openExecutor } from '../../engine/runtime/index.ts';
import { collectStreamNorms, type MeasuredModel } from '../../src/collect-stream-norms.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { runPrompt } from '../harness/run-prompt.ts';
import { tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize };
const weights = writeTinyWeights(config);
const executor = await openExecutor({ config, weights, slots: 1, context: 48, threads: 1, maxChunk: 7 });
afterAll(() => executor.close());
const model: MeasuredModel = { config, hash: 'abc', executor, tokenizer, chatTemplate: null };

const folder = mkdtempSync(join(tmpdir(), 'tiller-norms-'));
function collect(lines: readonly unknown[]) {
  const path = join(folder, 'texts.jsonl');
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join('\n'));
  return collectStreamNorms('tiny', model, path);
}

describe('stream norms', () => {
  it('are the median over all tokens but the first of each text, at every place that can be edited', async () => {
    const texts = ['one sentence of words', 'and another'];
    const file = await collect(texts.map((text) => ({ text })));
    const sites = [
      '0.hook_resid_pre',
      '0.hook_resid_mid',
      '0.hook_resid_post',
      '1.hook_resid_mid',
      '1.hook_resid_post',
    ];
    expect(Object.keys(file.norms)).toEqual(sites.map((site) => `blocks.${site}`));
    expect(file).toMatchObject({ model: 'tiny', hash: 'abc', tokens: 32 });
    for (const [site, norm] of Object.entries(file.norms)) {
      const norms: number[] = [];
      for (const text of texts) {
        const ids = [...tokenizer.encode(text, { addSpecialTokens: true })];
        const stream = (await runPrompt(executor, ids, { taps: [site] })).taps.get(site) ?? new Float32Array();
        for (let t = 1; t < ids.length; t++) {
          norms.push(Math.hypot(...stream.subarray(t * config.dModel, (t + 1) * config.dModel)));
        }
      }
      norms.sort((a, b) => a - b);
      expect(norms).toHaveLength(30);
      expect(norm).toBeCloseTo(((norms[14] as number) + (norms[15] as number)) / 2, 4);
    }
  });

  it.each([
    ['no texts', [], /no text of two tokens/],
    ['texts of one token', [{ text: 'a' }, { text: 'b' }], /no text of two tokens/],
    ['a text beyond the context', [{ text: 'ab' }, { text: 'x'.repeat(49) }], /49 tokens; the context is 48: xxx/],
    ['messages without a chat template', [{ messages: [{ role: 'user', content: 'hi' }] }], /no chat template/],
    ['another shape', [{ prompt: 'hi' }], /neither \{"text"\} nor \{"messages"\}/],
  ])('are refused for %s', async (_what, lines, reason) => {
    await expect(collect(lines)).rejects.toMatchObject({ code: 'invalid_request', message: reason });
  });
});
