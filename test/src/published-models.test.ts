import { describe, expect, it } from 'vitest';
import { parseRepositoryName } from '../../engine/checkpoint/acquire/repository-name.ts';
import { parameterCount } from '../../engine/checkpoint/index.ts';
import { estimatePublished } from '../../src/cli/published-estimate.ts';
import { publishedModel, publishedModels } from '../../src/cli/published-models.ts';
import { cli } from './cli-harness.ts';

/** Millions of parameters that the model cards state. */
const stated: Readonly<Record<string, number>> = {
  'openai-community/gpt2': 124,
  'EleutherAI/pythia-70m': 70.4,
  'EleutherAI/pythia-160m': 162.3,
  'EleutherAI/pythia-410m': 405.3,
  'EleutherAI/pythia-1b': 1011.8,
  'EleutherAI/pythia-1.4b': 1414.6,
  'Qwen/Qwen2.5-0.5B': 494,
  'Qwen/Qwen2.5-1.5B': 1543.7,
  'Qwen/Qwen3-0.6B': 596,
  'Qwen/Qwen3-1.7B': 1720.6,
  'meta-llama/Llama-3.2-1B': 1235.8,
  'meta-llama/Llama-3.2-3B': 3212.7,
  'google/gemma-2-2b': 2614.3,
  'google/gemma-3-270m': 268.1,
  'google/gemma-3-1b-pt': 999.9,
  'HuggingFaceTB/SmolLM2-135M': 134.5,
  'HuggingFaceTB/SmolLM2-360M': 361.8,
  'HuggingFaceTB/SmolLM2-1.7B': 1711.4,
};

describe('published models', () => {
  it('have the parameters that their cards state', () => {
    expect(publishedModels.map(({ repository }) => repository)).toEqual(Object.keys(stated));
    for (const model of publishedModels) {
      const parameters = parameterCount(model) / 1e6;
      expect(Math.abs(parameters / (stated[model.repository] ?? 0) - 1), model.repository).toBeLessThan(0.01);
      expect(parseRepositoryName(model.repository)?.repository).toBe(model.repository);
    }
  });

  it('need less in fewer bits, and fit where that is free', () => {
    for (const model of publishedModels) {
      const { bytes, mapped } = estimatePublished(model, 0, 'tiller');
      expect(bytes.f32).toBeGreaterThan(bytes.int8);
      expect(bytes.f32).toBeGreaterThan(bytes.four_bit);
      expect(mapped.int8).toBeLessThan(bytes.int8);
      const between = estimatePublished(model, bytes.int8, 'tiller');
      expect(between.fits).toMatchObject({ f32: false, int8: true });
    }
  });

  it('need more in f32 with the operators of ONNX Runtime, which packs float32', () => {
    for (const model of publishedModels) {
      const own = estimatePublished(model, 0, 'tiller').bytes.f32;
      const theirs = estimatePublished(model, 0, 'onnxruntime').bytes.f32;
      // bfloat16 is read as it is; float16 and float32 are packed either way
      if (model.stored === 'BF16') expect(theirs, model.repository).toBeGreaterThan(own);
      else expect(theirs).toBe(own);
    }
  });

  it('say what of them nothing confirmed', () => {
    for (const model of publishedModels) expect(model.unverified).toContain('stored');
    const contexts = publishedModels.filter(({ unverified }) => unverified.includes('context'));
    expect(contexts.map(({ repository }) => repository)).toEqual(['google/gemma-3-270m', 'google/gemma-3-1b-pt']);
    const [estimate] = contexts.map((model) => estimatePublished(model, 0, 'tiller'));
    expect(estimate?.unverified).toEqual(['stored', 'context']);
  });

  it('are found by their repository', () => {
    expect(publishedModel('google/gemma-2-2b').dModel).toBe(2304);
    expect(() => publishedModel('google/gemma-2-3b')).toThrow("'google/gemma-2-3b' is none");
  });

  it('are in the report of tiller doctor', async () => {
    const { stdout } = await cli(['doctor', '--json'], { environment: { PATH: '' } });
    expect(JSON.parse(stdout).published).toHaveLength(publishedModels.length);
    const text = (await cli(['doctor'], { environment: { PATH: '' } })).stdout;
    expect(text).toMatch(/^ +meta-llama\/Llama-3\.2-1B +1236 M +[\d.]+ GB[ !] +[\d.]+ GB[ !] +[\d.]+ GB[ !]$/m);
  });
});
